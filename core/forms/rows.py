"""The form fields by which rows of another table are chosen, of however many there are.

A control prints at most :data:`core.crud.choices.MOST` of them. Where there are more it has a search, which the form
sends to its own address: nothing is saved by that, and what was entered stays. What a control does not show is kept:
a related row that the current identity may not read, and of many links those that are not printed.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from flask_babel import format_decimal
from flask_babel import gettext
from flask_babel import lazy_gettext
from flask_babel import ngettext
from wtforms.fields import Choice  # type: ignore[attr-defined]  # new in 3.3
from wtforms.utils import unset_value
from wtforms.validators import ValidationError
from wtforms_sqlalchemy.fields import QueryCheckboxField
from wtforms_sqlalchemy.fields import QuerySelectField

import settings

from ..crud.choices import MOST
from ..crud.choices import Choices
from ..crud.choices import Found
from ..crud.readers import may_read

#: Suffixes of the names of a control's search: its text, its button, and the text that has been answered.
SEARCH, FIND, SEARCHED = "__search", "__find", "__searched"

#: Stands for the stored row where that is none of the choices. No key is written like this.
KEPT = ":kept"
KEPT_TEXT = lazy_gettext("(kept as it is)")


class Searching:
    """The search of a control, as the form was sent."""

    offered: Choices
    name: str
    search: str = ""
    #: True if the form was sent only to search: nothing is saved.
    is_asking: bool = False

    def read_search(self, formdata: Any) -> None:
        """Read what is looked for."""
        given: Mapping[str, str] = formdata or {}
        self.search = given.get(self.name + SEARCH, "").strip()
        # Enter in the box sends the form by its first button.
        is_new = bool(self.search) and self.search != given.get(self.name + SEARCHED, "")
        self.is_asking = self.name + FIND in given or is_new

    @cached_property
    def first(self) -> Found:
        """The first rows there are; all of them, if there are no more."""
        return self.offered.find()

    @property
    def is_searchable(self) -> bool:
        """Return whether there are more rows than the control shows."""
        return self.first.more

    @cached_property
    def matches(self) -> Found:
        """The rows that the search has found; none without one."""
        if not self.is_searchable:
            return self.first
        return self.offered.find(self.search) if self.search or self.is_asking else Found((), more=False)

    @property
    def search_note(self) -> str:
        """Return the result of the search in words."""
        if not self.search and not self.is_asking:
            return gettext("There are more than %(most)s: find the one you need.", most=MOST)
        if not self.matches.rows:
            return gettext("Nothing was found.")
        found = len(self.matches.rows)
        if self.matches.more:
            return gettext("These are the first %(found)s: search for more of a name.", found=found)
        return ngettext("%(num)s found.", "%(num)s found.", found)


class RowSelect(Searching, QuerySelectField):
    """One row of a table, by its ``str()``.

    :param offered: the rows that may be chosen
    """

    data: Any

    def __init__(self, *args: Any, offered: Choices, **kwargs: Any) -> None:
        super().__init__(*args, get_pk=offered.key_of, **kwargs)
        self.offered = offered

    def process(self, formdata: Any, data: Any = unset_value, extra_filters: Any = None) -> None:
        """Read the choice, and the search beside it."""
        self.read_search(formdata)
        self._formdata = None
        self.__dict__.pop("keeps", None)
        super().process(formdata, data, extra_filters)

    @cached_property
    def keeps(self) -> bool:
        """Return whether the stored row is none of the choices: it may not be read, or not be listed."""
        return self.object_data is not None and not self._is_offered(self.object_data)

    @property
    def is_hidden(self) -> bool:
        """Return whether the stored row may not be read: a link that is not shown cannot be meant to be removed."""
        return self.object_data is not None and self.keeps and not may_read(self.object_data)

    def _is_offered(self, row: Any) -> bool:
        if not self.first.more:
            return row in self.first.rows
        key = self.offered.key_of(row)
        return key in self.offered.by_keys([key])

    @property
    def kept_text(self) -> str:
        """Return the text for a stored row that is none of the choices."""
        return str(self.object_data) if may_read(self.object_data) else str(KEPT_TEXT)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the key of a row; the stored one stays where it was left as it is, or is not shown to the reader."""
        chosen = valuelist[0] if valuelist else self.blank_value
        if chosen == self.blank_value and self.is_hidden:
            self.raw_data = [KEPT]
            self.data = self.object_data
        elif chosen == KEPT and self.keeps:
            self.data = self.object_data
        else:
            super().process_formdata(valuelist)

    def _get_data(self) -> Any:
        if self._formdata is not None:
            row = self.offered.by_keys([self._formdata]).get(self._formdata)
            if row is not None:
                self._set_data(row)
        return self._data

    def _set_data(self, data: Any) -> None:
        self._data = data
        self._formdata = None

    data = property(_get_data, _set_data)

    def pre_validate(self, form: Any) -> None:
        """Refuse what is no row, or none that may be chosen."""
        if self.data is None and (self._formdata or not self.allow_blank):
            raise ValidationError(self.gettext("Not a valid choice"))

    def reload(self) -> None:
        """Read the rows again: a rollback has expired them all, and the chosen one may be gone."""
        for name in ("first", "matches"):
            self.__dict__.pop(name, None)
        if self.data is None or (self.data is self.object_data and self.__dict__.get("keeps")):
            return
        key = self.offered.key_of(self.data)
        self.data = self.offered.by_keys([key]).get(key)

    @property
    def state(self) -> str:
        """The choice as it is compared with that of another time."""
        if self.data is None:
            return self._formdata or ""
        return KEPT if self.data is self.object_data and self.keeps else self.offered.key_of(self.data)

    def iter_choices(self) -> Iterator[Choice]:
        """Return the choices; the original's tuples are deprecated by WTForms 3.3."""
        chosen = self.data
        if self.allow_blank:
            yield Choice(value=self.blank_value, label=self.blank_text, selected=chosen is None, render_kw={})
        if self.keeps:
            yield Choice(value=KEPT, label=self.kept_text, selected=chosen is self.object_data, render_kw={})
        for row in self._shown(chosen):
            yield _choice(self.offered.key_of(row), row, selected=row is chosen)

    def _shown(self, chosen: Any) -> Sequence[Any]:
        found = self.matches.rows
        if chosen is None or chosen in found or (self.keeps and chosen is self.object_data):
            return found
        return [chosen, *found[: MOST - 1]]


class RowCheckboxes(Searching, QueryCheckboxField):
    """Any number of rows of a table, each a box to check.

    Of a stored row's links it shows the first, or those that are looked for, and sends what was checked and unchecked
    among them: all others stay.

    :param offered: the rows that may be chosen
    """

    data: Any
    #: The stored row whose links are chosen, and the relationship; set by the form.
    item: Any = None
    relation: Any = None
    #: The keys of the rows that were shown as linked when the form was made; ``None`` if that is not known.
    base: Sequence[str] | None = None

    def __init__(self, *args: Any, offered: Choices, **kwargs: Any) -> None:
        super().__init__(*args, get_pk=offered.key_of, **kwargs)
        self.offered = offered
        self._sent: list[str] | None = None

    def process(self, formdata: Any, data: Any = unset_value, extra_filters: Any = None) -> None:
        """Read the boxes, and the search beside them."""
        self.read_search(formdata)
        self._sent = None
        self.forget()
        super().process(formdata, data, extra_filters)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Note the keys whose boxes are checked."""
        self._sent = list(dict.fromkeys(valuelist))

    def forget(self) -> None:
        """Forget what was read from the database, so that it is read again."""
        for name in ("first", "matches", "linked", "added", "removed", "shown", "shown_links", "number_linked"):
            self.__dict__.pop(name, None)

    # --- what was changed -----------------------------------------------------------------------

    @cached_property
    def linked(self) -> Found:
        """The first rows that are linked."""
        if self.item is None:
            return Found(self._data or (), more=False)
        return self.offered.linked(self.item, self.relation)

    def _base(self) -> list[str]:
        if self.base is not None:
            return list(self.base)
        if self.item is None:
            return []
        # The form does not say what it showed: it is taken to have shown what it would show now.
        links = self.linked.rows if self.first.more else self._linked_among(self.first.rows)
        return [*map(self.offered.key_of, links)]

    def _linked_among(self, rows: Sequence[Any]) -> list[Any]:
        if self.item is None:
            return [row for row in rows if row in (self._data or ())]
        keys = self.offered.linked_among(self.item, self.relation, rows)
        return [row for row in rows if self.offered.key_of(row) in keys]

    @cached_property
    def added(self) -> dict[str, Any]:
        """The rows whose boxes were checked, by their keys; those that cannot be chosen are not among them."""
        base = set(self._base()) if self._sent is not None else set()
        return self.offered.by_keys([key for key in self._sent or () if key not in base])

    @cached_property
    def removed(self) -> dict[str, Any]:
        """The rows whose boxes were unchecked, by their keys."""
        if self._sent is None:
            return {}
        checked = set(self._sent)
        return self.offered.by_keys([key for key in self._base() if key not in checked])

    def rows_for(self, item: Any) -> list[Any] | None:
        """Return all rows that are to be linked with a stored row; ``None`` if that stays as it is."""
        if item is None:
            return [*self.added.values()] if self._sent is not None else [*self.data]
        if not self.added and not self.removed:
            return None
        stored = getattr(item, self.relation.key)
        before = [*(stored.values() if isinstance(stored, Mapping) else stored)]
        removed = [*self.removed.values()]
        kept = [row for row in before if row not in removed]
        return [*kept, *(row for row in self.added.values() if row not in kept)]

    def pre_validate(self, form: Any) -> None:
        """Refuse what is no row, or none that may be chosen."""
        base = set(self._base()) if self._sent is not None else set()
        if any(key not in base and key not in self.added for key in self._sent or ()):
            raise ValidationError(self.gettext("Not a valid choice"))

    def populate_obj(self, obj: Any, name: str) -> None:
        """Set the links of a row."""
        rows = self.rows_for(obj if obj is self.item else None)
        if rows is not None:
            setattr(obj, name, rows)

    def reload(self) -> None:
        """Read the rows again: a rollback has expired them all, and some may be gone."""
        self.forget()

    # --- what is shown --------------------------------------------------------------------------

    @cached_property
    def shown(self) -> list[Any]:
        """The rows that have a box: what was changed comes first, so that it comes along."""
        if not self.first.more:
            return [*self.first.rows]
        changed = [*self.added.values(), *self.removed.values()]
        rows = self.matches.rows if self.search or self.is_asking else self.linked.rows
        return [*changed, *(row for row in rows if row not in changed)][: max(MOST, len(changed))]

    @cached_property
    def shown_links(self) -> list[str]:
        """The keys of those among the shown that are linked in the database."""
        return [*map(self.offered.key_of, self._linked_among(self.shown))]

    @cached_property
    def number_linked(self) -> int:
        """Return the number of linked rows, up to ``settings.MAX_COUNT`` and one more."""
        if self.item is None:
            return 0
        if not self.linked.more:
            return len(self.linked.rows)
        return self.offered.count_linked(self.item, self.relation)

    @property
    def kept_note(self) -> str:
        """Return the number of links that are not shown, in words."""
        if not self.first.more:
            return ""
        others = self.number_linked - len(self.shown_links)
        if others < 1:
            return ""
        over = self.number_linked > settings.MAX_COUNT
        if over:
            return gettext("And over %(number)s more, which are kept.", number=format_decimal(settings.MAX_COUNT))
        return gettext("And %(number)s more, which are kept.", number=format_decimal(others))

    def _is_checked(self, key: str) -> bool:
        return key in self.added or (key in self.shown_links and key not in self.removed)

    def _get_data(self) -> list[Any]:
        if self._sent is None and self.item is None:
            return [*(self._data or ())]
        return [row for row in self.shown if self._is_checked(self.offered.key_of(row))]

    def _set_data(self, data: Any) -> None:
        self._data = data
        self._formdata = None

    data = property(_get_data, _set_data)

    def iter_choices(self) -> Iterator[Choice]:
        """Return the choices; the original's tuples are deprecated by WTForms 3.3."""
        for row in self.shown:
            key = self.offered.key_of(row)
            checked = self._is_checked(key) if self.item is not None or self._sent is not None else row in self.data
            yield _choice(key, row, selected=checked)


def _choice(key: str, row: Any, *, selected: bool) -> Choice:
    text = str(row)
    # A row without a name is shown by its key.
    return Choice(value=key, label=text if text.strip() else key, selected=selected, render_kw={})

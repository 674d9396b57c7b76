"""Forms made from models: one field for each column that a person may write.

``class ProductForm(model_form(Product))`` takes over labels, lengths, ranges and choices from the
columns and their ``info``, and checks each value by the same rules as the model's schema does. What
WTForms-SQLAlchemy has no field for, or the wrong one, is put right by :class:`core.forms.converter.Converter`.
"""

import re
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import time
from typing import Any
from typing import ClassVar

import sqlalchemy as sa
from flask_wtf import FlaskForm
from wtforms import Field
from wtforms import fields
from wtforms_sqlalchemy.orm import model_fields

from services import db

from ..access import hidden_attributes
from ..fields.words import printable
from .converter import Converter
from .converter import pointers
from .inputs import JSONField
from .inputs import unix_lines
from .merging import Origin
from .merging import clear_errors
from .merging import remember_links
from .rows import RowCheckboxes
from .rows import RowSelect
from .rows import Searching
from .walking import field_at
from .walking import leaves


class ModelForm(FlaskForm):
    """The base of the forms of models."""

    #: The model whose rows it writes.
    model: ClassVar[type[Any] | None] = None
    #: Foreign keys, each with the relationship that is chosen in its place.
    pointers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A column that the caller may not read cannot be written: it stays as it is stored.
        for name in hidden_attributes(self.model) if self.model is not None else ():
            if name in self:
                del self[name]

    def process(self, formdata: Any = None, obj: Any = None, *args: Any, **kwargs: Any) -> None:
        """Fill the fields; of the links of a stored row only those that are shown are read."""
        state = sa.inspect(obj, raiseerr=False)
        stored = obj if getattr(state, "has_identity", False) else None
        links = {}
        for field in self:
            if isinstance(field, RowCheckboxes):
                field.item, field.relation = stored, getattr(type(obj), field.short_name, None)
                links[field.short_name] = field
        super().process(formdata, _Without(obj, links) if stored is not None and links else obj, *args, **kwargs)

    def remember(self, origin: Origin) -> None:
        """Take over what the form that was sent had been made from."""
        remember_links(self, origin)

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether what was entered may be written; a field that holds what is stored need not pass."""
        super().validate(*args, **kwargs)
        return clear_errors(self)

    def values(self, item: Any = None) -> dict[str, Any]:
        """Return what was entered: attribute to value, for the verbs.

        What was left as it was shown stays as it is stored; links that stay as they are, are left out.

        :param item: the row that is edited
        """
        own = {field.short_name: field for field in self if field.type != "CSRFTokenField"}
        found = {name: _value(field, item, name) for name, field in own.items()}
        return {name: value for name, value in found.items() if value is not _UNCHANGED}

    def reload(self) -> None:
        """Read the rows to choose from again, after a rollback."""
        for field in leaves(self):
            if isinstance(field, RowSelect | RowCheckboxes):
                field.reload()

    @property
    def is_searching(self) -> bool:
        """Return whether the form was sent to find rows to choose from: nothing is to be saved."""
        return any(isinstance(field, Searching) and field.is_asking for field in leaves(self))

    @property
    def is_searchable(self) -> bool:
        """Return whether the form has a control with a search."""
        return any(isinstance(field, Searching) and field.is_searchable for field in leaves(self))

    def add_errors(self, errors: Mapping[str, Sequence[str]]) -> None:
        """Put what a verb refused beside the fields; what has none goes to the top.

        :param errors: as :exc:`core.exceptions.Invalid` has them; ``lines.0.quantity`` is in a form within the form
        """
        self.reload()
        for name, messages in errors.items():
            field = field_at(self, name) or field_at(self, self.pointers.get(name, name))
            if field is None or isinstance(field, fields.FormField):
                self.form_errors.extend(messages)
            else:
                field.errors = [*field.errors, *messages]


class _Without:
    """A row as it is, but for some of its attributes: to read those would read all their rows."""

    def __init__(self, item: Any, names: Iterable[str]) -> None:
        self._item = item
        self._names = frozenset(names)

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            raise AttributeError(name)
        return getattr(self._item, name)


def model_form(
    model: type[Any], *, only: Sequence[str] | None = None, exclude: Sequence[str] | None = None
) -> type[ModelForm]:
    """Make the form of a model.

    :param only: names of the attributes to be shown; by default all that may be written
    :param exclude: names of those to be left out
    :raises TypeError: if the model has no such attribute, or one that no control can write
    """
    unknown = sorted({*(only or ()), *(exclude or ())} - set(sa.inspect(model).attrs.keys()))
    if unknown:
        raise TypeError(f"{model.__name__} has no attribute {', '.join(unknown)}")
    names = [name for name in only or declared(model) if name not in (exclude or ())]
    found = model_fields(model, db.session, only=names, converter=Converter())
    # WTForms orders fields by a counter that is taken when they are made.
    counters = sorted(field.creation_counter for field in found.values())
    for name, counter in zip((name for name in names if name in found), counters, strict=True):
        found[name].creation_counter = counter
    return type(
        f"{model.__name__}Form", (ModelForm,), {**found, "model": model, "pointers": pointers(sa.inspect(model))}
    )


def field_names(form: type[ModelForm]) -> list[str]:
    """Return the names of the fields of a form, without making one, which takes a request."""
    # WTForms knows a field that was not made yet by this attribute, too.
    return [name for name in dir(form) if hasattr(getattr(form, name, None), "_formfield")]


def declared(model: type[Any]) -> list[str]:
    """Return the attributes of a model as they are declared, each relationship in the place of its foreign key."""
    mapper = sa.inspect(model)
    places = {column: place for place, column in enumerate(mapper.local_table.columns)}

    def place(attribute: Any) -> int:
        columns: Any = getattr(attribute, "columns", None) or getattr(attribute, "local_columns", ())
        several = getattr(attribute, "uselist", False)
        known = [] if several else [places[column] for column in columns if column in places]
        return min(known, default=len(places))

    return [attribute.key for attribute in sorted(mapper.attrs, key=place)]


#: Stands for a value that is not to be written.
_UNCHANGED: Any = object()


def _value(field: Field, item: Any, name: str) -> Any:
    if isinstance(field, RowCheckboxes):
        rows = field.rows_for(item)
        return _UNCHANGED if rows is None else rows
    if isinstance(field, fields.FormField):
        return _of_form(field)
    if isinstance(field, fields.FieldList):
        return [_value(entry, None, "") for entry in field.entries]
    return _as_stored(field, getattr(item, name, None))


def _of_form(field: Any) -> dict[str, Any]:
    """Return the values of a form within a form, its token apart."""
    if isinstance(field.form, ModelForm):
        return field.form.values(field.object_data)
    inner = {one.short_name: one for one in field.form if one.type != "CSRFTokenField"}
    return {name: _value(one, None, "") for name, one in inner.items()}


def _as_stored(field: Field, before: Any) -> Any:
    if isinstance(before, datetime | time):
        # The control shows seconds; what was not touched keeps its fractions.
        return before if before.replace(microsecond=0) == field.data else field.data
    if isinstance(before, str) and isinstance(field, fields.StringField) and not isinstance(field, JSONField):
        # A control has line breaks of one kind, or none, and cannot distinguish '' from NULL.
        area = isinstance(field, fields.TextAreaField)
        seen = unix_lines(before) if area else re.sub(r"[\r\n]", "", before)
        # A page shows other characters for those that it cannot hold.
        return before if (field.data or "") in (seen, printable(seen)) else field.data
    return field.data

"""The HTML face of the verbs: a list, a page for each row, and forms to create, edit and delete.

``class ProductPages(Pages)`` with ``verbs``, ``form`` and ``columns``, and
``ProductPages.register(bp, "/products")``. Its templates are ``crud/*.html``; a module replaces one
by its own ``<module>/<noun>_list.html`` (``_detail``, ``_form``, ``_delete``, ``_conflict``).
"""

import functools
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from typing import ClassVar

import sqlalchemy as sa
from flask import Blueprint
from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext
from sqlalchemy.sql.base import ExecutableOption
from werkzeug.datastructures import CombinedMultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response
from wtforms.fields import FileField
from wtforms.fields import SelectMultipleField

import settings

from ..access import Policy
from ..access import access
from ..access import hidden_attributes
from ..crud import readers
from ..crud.consequences import EFFECTS
from ..crud.consequences import PREVENTS
from ..crud.consequences import consequences
from ..crud.keys import reserve
from ..crud.listing import Query
from ..crud.readers import serve
from ..crud.readers import without_long
from ..crud.transactions import transaction
from ..crud.verbs import VERBS
from ..crud.verbs import Crud
from ..crud.verbs import check_allow
from ..exceptions import BadQuery
from ..exceptions import InUse
from ..exceptions import Invalid
from ..exceptions import NotFound
from ..exceptions import Stale
from ..fields.words import derived
from ..fields.words import noun
from ..fields.words import plural
from ..forms import merging
from ..forms.merging import Merge
from ..forms.model_forms import ModelForm
from ..forms.model_forms import field_names
from ..forms.rows import FIND
from ..forms.rows import SEARCH
from ..forms.rows import SEARCHED
from ..forms.rows import RowCheckboxes
from ..forms.rows import RowSelect
from ..forms.rows import Searching
from ..forms.walking import sent_names
from ..http.links import list_args
from ..http.links import query_url
from . import model_pages
from .controls import control_messages
from .controls import controls
from .controls import read_controls
from .display import show
from .model_pages import ModelPages
from .pagination import paginate
from .several import Shown
from .several import related

Answer = str | Response | tuple[str, int]

#: Names in a form that are not the model's.
_OWN_NAMES = {"csrf_token", "version", merging.ORIGIN, merging.ASKED}

#: How often a form is merged again with a row that others save at the same moment.
_ATTEMPTS = 3

#: So many unknown names of a form are listed.
MOST_NAMES = 20


class Pages:
    """The pages of one model."""

    verbs: ClassVar[Crud]
    form: ClassVar[type[ModelForm]]
    #: Columns of the list: attributes, relationships among them.
    columns: ClassVar[Sequence[str]]
    #: Fields of a row's page; by default those of the form, and the times; without a form, the columns.
    details: ClassVar[Sequence[str]] = ()
    #: Title of the list; by default the noun with an s.
    plural: ClassVar[str] = ""
    #: Verbs offered: any of list, get, create, update, delete.
    allow: ClassVar[Sequence[str]] = VERBS

    @classmethod
    def register(cls, blueprint: Blueprint, url: str) -> None:
        """Add the pages below ``url``, as ``<noun>_list``, ``_detail``, ``_create``, ``_edit`` and ``_delete``."""
        check_allow(cls)
        if {"create", "update"} & set(cls.allow) and not hasattr(cls, "form"):
            raise TypeError(f"{cls.__name__} allows to create or update, and has no form")
        pages = cls()
        if "create" in cls.allow:
            reserve(cls.verbs.model, "new")
        item = f"{url}/<key>"
        rules = (
            ("list", "list", url, pages.list, ["GET"]),
            ("get", "detail", item, pages.detail, ["GET"]),
            ("create", "create", f"{url}/new", pages.create, ["GET", "POST"]),
            ("update", "edit", f"{item}/edit", pages.edit, ["GET", "POST"]),
            ("delete", "delete", f"{item}/delete", pages.delete, ["GET", "POST"]),
        )
        for verb, name, rule, view, methods in rules:
            if verb in cls.allow:
                declared = _declared(view, cls.verbs.access.get(verb))
                blueprint.add_url_rule(rule, f"{pages.name}_{name}", declared, methods=methods)
        blueprint.record(pages.announce)

    def __init__(self) -> None:
        self.name = self.verbs.noun.replace(" ", "_")
        self._title = self.plural or plural(self.verbs.noun).capitalize()
        unknown = [name for name in (*self.columns, *self.details) if not hasattr(self.verbs.model, name)]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} shows {', '.join(unknown)}: {self.verbs.model.__name__} has no such attribute"
            )

    @property
    def noun(self) -> str:
        """The noun for a row, in the language of the answer."""
        return noun(self.verbs.model)

    @property
    def title(self) -> str:
        """The title of the list, in the language of the answer."""
        return derived(self._title, self.verbs.model)

    def announce(self, state: BlueprintSetupState) -> None:
        """Let other pages find those of this model, to link to them."""
        prefix = ".".join(filter(None, (state.name_prefix, state.name, self.name)))
        model_pages.add(state.app, self.verbs.model, ModelPages(prefix, self.allow, self.verbs, self._title))
        serve(state.app, self.verbs, self.allow, field_names(self.form) if hasattr(self, "form") else ())

    # --- views ---

    def list(self) -> Answer:
        """Show one page of the list; with 400 and its form if the question is wrong."""
        args = list_args()
        try:
            query = self.verbs.listing.parse(read_controls(self.verbs, args), by_page=True)
            query = replace(query, count=True, count_limit=settings.MAX_COUNT + 1)
        except BadQuery as error:
            errors = control_messages(self.verbs, error.errors)
            first = dict(list(errors.items())[:MOST_NAMES])
            return self.render("list", 400, page=None, controls=controls(self.verbs, args, errors), errors=first)
        try:
            page = self.verbs.list(query, self.loads())
        except NotFound:
            total = self.verbs.list(replace(query, page=1)).total or 0
            last = gettext("The last page is %(total_query_limit)s.", total_query_limit=-(-total // query.limit))
            filled = controls(self.verbs, args, {})
            return self.render("list", 404, page=None, controls=filled, errors={"page": [last]})
        pagination = paginate(query, page, page.total or 0, (self.noun, self.title.lower()))
        shown = Shown(self.verbs.model, page.items, self.columns)
        filled = controls(self.verbs, args, {})
        return self.render("list", page=page, shown=shown, pagination=pagination, controls=filled, errors={})

    def detail(self, key: str) -> Answer:
        """Show one row."""
        item = self.verbs.get(key)
        names = self.readable(self.details or self._written())
        shown = Shown(self.verbs.model, [item], names)
        return self.render("detail", item=item, names=names, shown=shown, related=related(item))

    def create(self) -> Answer:
        """Show the empty form, or add a row from it."""
        form = self._make_form()
        if request.method == "POST" and not form.is_searching and form.validate():
            try:
                with transaction():
                    item = self.verbs.create(form.values())
                    target = self.url_after(item)
                    message = gettext("Created %(noun)s “%(name)s”.", noun=self.noun, name=item)
            except Invalid as error:
                form.add_errors(error.errors)
            else:
                return _done(target, message)
        return self.render("form", 422 if form.errors else 200, form=form, item=None, origin=None)

    def edit(self, key: str) -> Answer:
        """Show the form of a row, or change the row from it."""
        item = self.verbs.get(key)
        self.verbs.require("update", item)
        if request.method == "POST":
            return self._save(key, item)
        form = self._make_form(item)
        return self.render("form", form=form, item=item, origin=merging.write_origin(form, form))

    def delete(self, key: str) -> Answer:
        """Ask whether to delete a row, or delete it."""
        item = self.verbs.get(key)
        self.verbs.require("delete", item)
        name = str(item)
        if request.method == "POST":
            try:
                with transaction():
                    self.verbs.delete(item, self._version())
            except InUse as error:
                item = self.verbs.get(key)
                return self._ask_to_delete(item, 409, problem=str(error), is_refused=True)
            except Stale:
                problem = gettext(
                    "This %(noun)s was changed since you opened the page. This is what it is now.", noun=self.noun
                )
                return self._ask_to_delete(self.verbs.get(key), 409, problem=problem)
            else:
                return _done(self.url_after(), gettext("Deleted %(noun)s “%(name)s”.", noun=self.noun, name=name))
        return self._ask_to_delete(item)

    # --- parts ---

    def may(self, verb: str, item: Any = None) -> bool:
        """Return whether there is a page for a verb, and the current identity may use it."""
        return verb in self.allow and self.verbs.may(verb, item)

    def readable(self, names: Sequence[str]) -> Sequence[str]:
        """Return those of some attributes that the current identity may read."""
        hidden = hidden_attributes(self.verbs.model)
        return [name for name in names if name not in hidden] if hidden else names

    def loads(self) -> Sequence[ExecutableOption]:
        """Return what the list reads with its rows: of what they lead to, that which the current identity may read."""
        relations = sa.inspect(self.verbs.model).relationships
        # A relationship to several rows is read separately, and only the first of them.
        names = [name for name in self.readable(self.columns) if name in relations and not relations[name].uselist]
        joined = [readers.load(getattr(self.verbs.model, name)) for name in names]
        return [*joined, *without_long(self.verbs.model, self.columns)]

    def render(self, template: str, status: int = 200, **context: Any) -> Answer:
        """Render a template of this model: the module's own, or the common one."""
        module = request.blueprints[-1]
        own, common = f"{module}/{self.name}_{template}.html", f"crud/{template}.html"
        return render_template([own, common], pages=self, verbs=self.verbs, model=self.verbs.model, **context), status

    def url(self, name: str, item: Any = None) -> str:
        """Return the URL of a page: ``list``, ``create``, or with a row ``detail``, ``edit``, ``delete``."""
        values: dict[str, Any] = {} if item is None else {"key": self.verbs.address(item)}
        return url_for(f".{self.name}_{name}", **values)

    def url_after(self, item: Any = None) -> str:
        """Return the URL where one goes from a form: to the row if there is one, to the list, or to the start."""
        if item is not None and self.may("get", item):
            return self.url("detail", item)
        return self.url("list") if self.may("list") else f"{request.script_root}/"

    def sort_url(self, name: str, query: Query) -> str | None:
        """Return the URL of the list sorted by a column, or the other way round if it is already so."""
        column = self.sorts_by(name)
        if column is None:
            return None
        return query_url(sort=f"-{column}" if query.sort[0] == column else column, page=None, cursor=None)

    def sorts_by(self, name: str) -> str | None:
        """Return what the list is sorted by when the heading of this column is chosen."""
        hidden = self.verbs.listing.hidden()
        fitting = (word for word in self.verbs.sorts if word == name or word.startswith(f"{name}."))
        return next((word for word in fitting if word not in hidden), None)

    def shown_value(self, field: Any) -> Any:
        """Return the value of a form's field as the page of a conflict shows it."""
        if isinstance(field, RowSelect) and field.data is not None and field.keeps and field.data is field.object_data:
            return field.kept_text
        return show(field.data)

    def _written(self) -> Sequence[str]:
        if not hasattr(self, "form"):
            return self.columns
        return [name for name in vars(self.form()) if name in sa.inspect(self.verbs.model).attrs] + [
            name for name in ("created_at", "updated_at") if hasattr(self.verbs.model, name)
        ]

    def _ask_to_delete(
        self, item: Any, status: int = 200, *, problem: str | None = None, is_refused: bool = False
    ) -> Answer:
        # Verbs that delete in a way of their own may leave everything else as it is.
        found = consequences(item) if type(self.verbs).delete is Crud.delete else []
        effects = {effect: [str(one) for one in found if one.effect == effect] for effect in EFFECTS}
        groups = related(item) if is_refused or effects[PREVENTS] else []
        context = {"problem": problem, "is_refused": is_refused, "related": groups, "effects": effects}
        return self.render("delete", status, item=item, **context)

    def _save(self, key: str, item: Any) -> Answer:
        """Change a row from its form, merged with what others have saved since that was made."""
        for left in reversed(range(_ATTEMPTS)):
            form = self._make_form(item)
            merge = self._merge(form, item)
            if form.is_searching or not form.validate() or merge.open:
                break
            try:
                with transaction():
                    item = self.verbs.update(item, form.values(item), self.verbs.version(item))
                    target = self.url_after(item)
                    message = gettext("Saved %(noun)s “%(name)s”.", noun=self.noun, name=item) + _merged(merge)
            except Invalid as error:
                form.add_errors(error.errors)
                item = self.verbs.get(key)
                break
            except Stale:
                if not left:
                    raise
                item = self.verbs.get(key)
                self.verbs.require("update", item)
            else:
                return _done(target, message)
        origin = merging.write_origin(form, self.form(formdata=None, obj=item))
        if merge.open:
            return self.render("conflict", 409, form=form, item=item, differing=merge.open, origin=origin)
        status = 422 if form.errors and not form.is_searching else 200
        return self.render("form", status, form=form, item=item, origin=origin)

    def _merge(self, form: ModelForm, item: Any) -> Merge:
        version, origin = self._version(), merging.read_origin(request.form.get(merging.ORIGIN, ""))
        form.remember(origin)
        current = self.form(formdata=None, obj=item)
        if self.verbs.version_key is None:
            # A row without a version is identified by its values.
            stale = merging.differs(current, origin)
        else:
            stale = version != self.verbs.version(item)
        return Merge(form, current, origin, request.form, stale=stale)

    def _make_form(self, item: Any = None) -> ModelForm:
        """Make the form of a row, filled with what was sent: a form's fields, never JSON."""
        form = self.form(formdata=None, obj=item)
        if request.method == "POST":
            self._refuse_unknown(form)
            sent: Any = CombinedMultiDict([request.files, request.form])
            form.process(sent, obj=item)
        return form

    def _refuse_unknown(self, form: ModelForm) -> None:
        known = [*sent_names(form)]
        files = [pattern for pattern, field in known if isinstance(field, FileField)]
        texts = [pattern for pattern, field in known if not isinstance(field, FileField)]
        texts += [re.compile(re.escape(name)) for name in (*_OWN_NAMES, *_names_beside(form))]
        for pattern, field in known:
            if isinstance(field, Searching):
                texts += [re.compile(pattern.pattern + ending) for ending in (SEARCH, FIND, SEARCHED)]
        # A browser sends the name of an empty file field among the files.
        unknown = sorted(_others(request.form, texts) | _others(request.files, files))
        if unknown:
            others = len(unknown) - MOST_NAMES
            more = gettext(" and %(number)s more", number=others) if others > 0 else ""
            raise BadRequest(
                gettext("The form has no field %(names)s%(more)s.", names=", ".join(unknown[:MOST_NAMES]), more=more)
            )
        several = [pattern for pattern, field in known if isinstance(field, SelectMultipleField | RowCheckboxes)]
        twice = _others([name for name, texts in request.form.lists() if len(texts) > 1], several)
        if twice:
            raise BadRequest(gettext("The form has %(names)s more than once.", names=", ".join(sorted(twice))))

    def _version(self) -> int | None:
        """Read which version of the row the form was made from."""
        if self.verbs.version_key is None:
            return None
        text = request.form.get("version", "")
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise BadRequest(gettext("The form does not say which version of the row it was made from: load it again."))
        return int(text)


def _done(target: str, message: str) -> Response:
    flash(message, "success")
    return redirect(target, 303)


def _names_beside(form: ModelForm) -> Iterator[str]:
    """Yield the names by which an editor decides about the fields that another person has changed as well."""
    return (field.name + merging.USE for field in form)


def _others(names: Iterable[str], known: Iterable["re.Pattern[str]"]) -> set[str]:
    return {name for name in names if not any(pattern.fullmatch(name) for pattern in known)}


def _merged(merge: Merge) -> str:
    """Return a sentence about what others have changed, and the form has left."""
    names = ", ".join(str(field.label.text) for field in merge.theirs)
    if not names:
        return ""
    return " " + gettext("Another person had changed %(names)s since you opened the form: that is kept.", names=names)


def _declared(view: Callable[..., Answer], policy: Policy | None) -> Callable[..., Answer]:
    """Return a view that carries the policy of its verb; a method of an object could not."""
    if policy is None:
        return view

    @functools.wraps(view)
    def declared(*args: Any, **kwargs: Any) -> Answer:
        return view(*args, **kwargs)

    return access(policy)(declared)

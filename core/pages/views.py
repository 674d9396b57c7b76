"""The HTML face of the verbs: a list, a page for each row, and forms to create, edit and delete.

``class ProductPages(Pages)`` with ``verbs``, ``form`` and ``columns``, and
``ProductPages.register(bp, "/products")``. Its templates are ``crud/*.html``; a module replaces one
by its own ``<module>/<noun>_list.html`` (``_detail``, ``_form``, ``_delete``, ``_conflict``).
"""

import functools
from collections.abc import Callable
from collections.abc import Sequence
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
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.base import ExecutableOption
from werkzeug.datastructures import CombinedMultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response
from wtforms.fields import FileField
from wtforms.fields import SelectMultipleField

import settings
from services import db

from ..access import Policy
from ..crud.listing import Query
from ..crud.served import serve
from ..crud.verbs import VERBS
from ..crud.verbs import Crud
from ..crud.verbs import check_allow
from ..exceptions import BadQuery
from ..exceptions import InUse
from ..exceptions import Invalid
from ..exceptions import NotFound
from ..exceptions import Stale
from ..forms.inputs import RowCheckboxes
from ..forms.model_forms import ModelForm
from ..forms.model_forms import field_names
from ..http.links import query_url
from ..http.links import single_args
from ..http.policies import access
from . import model_pages
from .controls import controls
from .model_pages import ModelPages
from .pagination import paginate
from .related import related

Answer = str | Response | tuple[str, int]

#: Names in a form that are not the model's.
_OWN_NAMES = {"csrf_token", "version"}

#: Of the names that a form does not have, so many are told.
MOST_NAMES = 20


class Pages:
    """The pages of one model."""

    verbs: ClassVar[Crud]
    form: ClassVar[type[ModelForm]]
    #: What the list shows: attributes, relationships among them.
    columns: ClassVar[Sequence[str]]
    #: What the page of a row shows; by default all that the form has, and the times.
    details: ClassVar[Sequence[str]] = ()
    #: What the list is called; by default the noun with an s.
    plural: ClassVar[str] = ""
    #: What may be done: any of list, get, create, update, delete.
    allow: ClassVar[Sequence[str]] = VERBS

    @classmethod
    def register(cls, blueprint: Blueprint, url: str) -> None:
        """Add the pages below ``url``, as ``<noun>_list``, ``_detail``, ``_create``, ``_edit`` and ``_delete``."""
        check_allow(cls)
        if {"create", "update"} & set(cls.allow) and not hasattr(cls, "form"):
            raise TypeError(f"{cls.__name__} allows to create or update, and has no form")
        pages = cls()
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
        self.noun = self.verbs.noun
        self.name = self.noun.replace(" ", "_")
        self.title = self.plural or f"{self.noun}s".capitalize()
        unknown = [name for name in (*self.columns, *self.details) if not hasattr(self.verbs.model, name)]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} shows {', '.join(unknown)}: {self.verbs.model.__name__} has no such attribute"
            )
        relations = sa.inspect(self.verbs.model).relationships
        shown = [name for name in self.columns if name in relations]
        self.loads: list[ExecutableOption] = [selectinload(getattr(self.verbs.model, name)) for name in shown]

    def announce(self, state: BlueprintSetupState) -> None:
        """Let other pages find those of this model, to link to them."""
        prefix = ".".join(filter(None, (state.name_prefix, state.name, self.name)))
        model_pages.add(state.app, self.verbs.model, ModelPages(prefix, self.allow, self.verbs.filters))
        serve(state.app, self.verbs, self.allow, field_names(self.form) if hasattr(self, "form") else ())

    # --- views ---

    def list(self) -> Answer:
        """Show one page of the list; with 400 and its form if the question is wrong."""
        args = request.args.to_dict()
        try:
            query = self.verbs.listing.parse(single_args(), by_page=True)
        except BadQuery as error:
            filled = controls(self.verbs, args, error.errors)
            told = dict(list(error.errors.items())[:MOST_NAMES])
            return self.render("list", 400, page=None, controls=filled, errors=told)
        total = self.verbs.count(query, settings.MAX_COUNT + 1)
        try:
            page = self.verbs.list(query, self.loads)
        except NotFound:
            last = f"The last page is {-(-total // query.limit)}."
            filled = controls(self.verbs, args, {})
            return self.render("list", 404, page=None, controls=filled, errors={"page": [last]})
        pagination = paginate(query, page, total, (self.noun, self.title.lower()))
        return self.render("list", page=page, pagination=pagination, controls=controls(self.verbs, args, {}), errors={})

    def detail(self, key: str) -> Answer:
        """Show one row."""
        item = self.verbs.get(key)
        return self.render("detail", item=item, names=self.details or self._written(), related=related(item))

    def create(self) -> Answer:
        """Show the empty form, or add a row from it."""
        form = self._make_form()
        if request.method == "POST" and form.validate():
            try:
                item = self.verbs.create(form.values())
                return self._done(item, f"Created {self.noun} “{item}”.")
            except Invalid as error:
                form.add_errors(error.errors)
        return self.render("form", 422 if form.errors else 200, form=form, item=None)

    def edit(self, key: str) -> Answer:
        """Show the form of a row, or change the row from it."""
        item = self.verbs.get(key)
        self.verbs.require("update", item)
        form = self._make_form(item)
        if request.method == "POST":
            version = self._version()
            if form.validate():
                try:
                    item = self.verbs.update(item, form.values(item), version)
                    return self._done(item, f"Saved {self.noun} “{item}”.")
                except Invalid as error:
                    form.add_errors(error.errors)
                    item = self.verbs.get(key)
                except Stale:
                    return self._conflict(key, form)
            elif version != self.verbs.version(item):
                return self._conflict(key, form)
        return self.render("form", 422 if form.errors else 200, form=form, item=item)

    def delete(self, key: str) -> Answer:
        """Ask whether to delete a row, or delete it."""
        item = self.verbs.get(key)
        self.verbs.require("delete", item)
        name = str(item)
        if request.method == "POST":
            try:
                self.verbs.delete(item, self._version())
                db.session.commit()
                flash(f"Deleted {self.noun} “{name}”.", "success")
                return redirect(self.url_after(), 303)
            except InUse as error:
                item = self.verbs.get(key)
                return self.render("delete", 409, item=item, problem=str(error), related=related(item))
            except Stale:
                problem = f"Somebody has changed this {self.noun} since you opened the page. This is what it is now."
                return self.render("delete", 409, item=self.verbs.get(key), problem=problem, related=None)
        return self.render("delete", item=item, problem=None, related=None)

    # --- parts ---

    def may(self, verb: str, item: Any = None) -> bool:
        """Return whether there is a page for a verb, and whoever is asking may use it."""
        return verb in self.allow and self.verbs.may(verb, item)

    def render(self, template: str, status: int = 200, **context: Any) -> Answer:
        """Render a template of this model: the module's own, or the common one."""
        module = request.blueprints[-1]
        own, common = f"{module}/{self.name}_{template}.html", f"crud/{template}.html"
        return render_template([own, common], pages=self, verbs=self.verbs, model=self.verbs.model, **context), status

    def url(self, name: str, item: Any = None) -> str:
        """Return the URL of a page: ``list``, ``create``, or with a row ``detail``, ``edit``, ``delete``."""
        values = {} if item is None else {"key": getattr(item, self.verbs.listing.key)}
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
        return next((word for word in self.verbs.sorts if word == name or word.startswith(f"{name}.")), None)

    def _written(self) -> Sequence[str]:
        return [name for name in vars(self.form()) if name in sa.inspect(self.verbs.model).attrs] + [
            name for name in ("created_at", "updated_at") if hasattr(self.verbs.model, name)
        ]

    def _done(self, item: Any, message: str) -> Response:
        target = self.url_after(item)
        db.session.commit()
        flash(message, "success")
        return redirect(target, 303)

    def _conflict(self, key: str, form: ModelForm) -> Answer:
        """Show the stored row beside what was entered; saving again overwrites it."""
        item = self.verbs.get(key)
        form.reload()
        current = self.form(formdata=None, obj=item)
        fields = [(field, current[field.short_name]) for field in form if field.short_name in current]
        differing = [(mine, now) for mine, now in fields if mine.data != now.data and mine.type != "CSRFTokenField"]
        return self.render("conflict", 409, form=form, item=item, differing=differing)

    def _make_form(self, item: Any = None) -> ModelForm:
        """Make the form of a row, filled with what was sent: a form's fields, never JSON."""
        form = self.form(formdata=None, obj=item)
        if request.method == "POST":
            self._refuse_unknown(form)
            sent: Any = CombinedMultiDict([request.files, request.form])
            form.process(sent, obj=item)
        return form

    def _refuse_unknown(self, form: ModelForm) -> None:
        files = {field.name for field in form if isinstance(field, FileField)}
        texts = {field.name for field in form} - files | _OWN_NAMES
        # A browser sends the name of an empty file field among the files.
        unknown = sorted(set(request.form) - texts | set(request.files) - files)
        if unknown:
            more = f" and {len(unknown) - MOST_NAMES} more" if len(unknown) > MOST_NAMES else ""
            raise BadRequest(f"The form has no field {', '.join(unknown[:MOST_NAMES])}{more}.")
        several = {field.name for field in form if isinstance(field, SelectMultipleField | RowCheckboxes)}
        twice = sorted(name for name, texts in request.form.lists() if len(texts) > 1 and name not in several)
        if twice:
            raise BadRequest(f"The form has {', '.join(twice)} more than once.")

    def _version(self) -> int | None:
        """Read which version of the row the form was made from."""
        if self.verbs.version_key is None:
            return None
        text = request.form.get("version", "")
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise BadRequest("The form does not say which version of the row it was made from: load it again.")
        return int(text)


def _declared(view: Callable[..., Answer], policy: Policy | None) -> Callable[..., Answer]:
    """Return a view that carries the policy of its verb; a method of an object could not."""
    if policy is None:
        return view

    @functools.wraps(view)
    def declared(*args: Any, **kwargs: Any) -> Answer:
        return view(*args, **kwargs)

    return access(policy)(declared)

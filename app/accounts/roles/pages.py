"""The pages for managing accounts: roles, people, and the matrix of permissions."""

from flask import current_app
from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask_babel import gettext
from werkzeug.wrappers import Response
from wtforms import Form
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # new in 3.3

from core.access import access
from core.access import permissions
from core.access.matrix import NO
from core.access.matrix import Line
from core.access.matrix import Matrix
from core.access.matrix import matrix
from core.crud import transaction
from core.exceptions import Invalid
from core.pages import Pages

from .. import bp
from ..freshness import fresh
from ..people import people
from ..tokens.scopes import grouped
from . import granting
from .forms import GrantsForm
from .forms import RoleForm
from .forms import RolesForm
from .granting import EDIT_PEOPLE
from .granting import EDIT_ROLES
from .permissions import ADMINISTRATOR

Answer = str | Response | tuple[str, int]


class PeoplePages(Pages):
    """A page for each account, with its roles."""

    verbs = people
    columns = ("name", "email", "roles", "active", "created_at")
    details = ("email", "roles", "active", "confirmed_at", "created_at")
    plural = "People"
    allow = ("list", "get")


PeoplePages.register(bp, "/people")


@bp.get("/roles")
@access(EDIT_ROLES)
def role_list() -> str:
    """Show the roles, and what is granted that no module asks for."""
    found = {"roles": granting.every(), "grants": granting.grants(), "unknown": granting.unknown()}
    return render_template("accounts/roles/list.html", **found)


@bp.route("/roles/new", methods=["GET", "POST"])
@access(EDIT_ROLES)
@fresh
def role_create() -> Answer:
    """Ask for a new role, or make it."""
    form = RoleForm()
    if form.validate_on_submit():
        try:
            with transaction():
                role = granting.create(form.name.data or "", form.description.data or None)
        except Invalid as error:
            _show(form, error)
        else:
            return _done(
                gettext("Made the role “%(name)s”; it grants nothing yet.", name=role.name),
                url_for(".role_edit", name=role.name),
            )
    return render_template("accounts/roles/new.html", form=form), 422 if form.errors else 200


@bp.route("/roles/<name>", methods=["GET", "POST"])
@access(EDIT_ROLES)
@fresh
def role_edit(name: str) -> Answer:
    """Show what a role grants, or change it."""
    role = granting.get(name)
    form = GrantsForm(data={"permissions": [*role.permissions]})
    form.permissions.choices = [SelectChoice(name) for name in permissions()]
    if form.validate_on_submit():
        try:
            with transaction():
                granting.grant(role, form.permissions.data or ())
        except Invalid as error:
            _show(form, error)
        else:
            return _done(gettext("Saved what “%(name)s” grants.", name=role.name), url_for(".role_list"))
    groups = grouped(permissions())
    fixed = role.name == ADMINISTRATOR
    page = render_template("accounts/roles/edit.html", form=form, role=role, groups=groups, fixed=fixed)
    return page, 422 if form.errors else 200


@bp.route("/roles/<name>/delete", methods=["GET", "POST"])
@access(EDIT_ROLES)
@fresh
def role_delete(name: str) -> Answer:
    """Ask whether to delete a role, or delete it."""
    role = granting.get(name)
    form = GrantsForm()
    if form.is_submitted() and form.validate():
        try:
            with transaction():
                granting.delete(role)
        except Invalid as error:
            flash(str(error), "danger")
            return redirect(url_for(".role_list"), 303)
        return _done(gettext("Deleted the role “%(name)s”.", name=name), url_for(".role_list"))
    return render_template("accounts/roles/delete.html", role=role, form=form)


@bp.route("/people/<key>/roles", methods=["GET", "POST"])
@access(EDIT_PEOPLE)
@fresh
def person_roles(key: str) -> Answer:
    """Show the roles of a user, or change them."""
    user = people.get(key)
    form = RolesForm(data={"roles": [role.name for role in user.roles]})
    every = granting.every()
    form.roles.choices = [SelectChoice(role.name) for role in every]
    if form.validate_on_submit():
        try:
            with transaction():
                granting.give(user, form.roles.data or ())
        except Invalid as error:
            _show(form, error)
        else:
            return _done(gettext("Saved the roles of %(name)s.", name=user.name), url_for(".user_detail", key=user.id))
    page = render_template("accounts/roles/person.html", form=form, user=user, roles=every)
    return page, 422 if form.errors else 200


@bp.get("/access")
@access(EDIT_ROLES)
def access_matrix() -> str:
    """Show who may do what, and why; or a part of it."""
    whole = matrix(current_app)
    text, who = request.args.get("q", "").strip(), request.args.get("who", "")
    context = {"whole": whole, "text": text, "who": who if who in whole.columns else ""}
    return render_template("accounts/roles/matrix.html", matrix=_part(whole, text, who), **context)


def _part(whole: Matrix, text: str, who: str) -> Matrix:
    """Return the lines in which all words of a text stand; of one column only what it may ask."""
    lines = [line for line in whole.lines if all(word in _words(line) for word in text.lower().split())]
    if who not in whole.columns:
        return Matrix(whole.columns, lines)
    place = whole.columns.index(who)
    return Matrix([who], [Line(line.asked, [line.cells[place]]) for line in lines if line.cells[place] != NO])


def _words(line: Line) -> str:
    asked = line.asked
    return f"{asked.verb} {asked.address} {asked.place} {asked.reason}".lower()


def _show(form: Form, error: Invalid) -> None:
    for name, texts in error.errors.items():
        form[name].errors = [*form[name].errors, *texts]


def _done(message: str, url: str) -> Response:
    flash(message, "success")
    return redirect(url, 303)

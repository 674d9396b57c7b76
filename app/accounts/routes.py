"""One's own account: what it has, and one's name. Signing in is Flask-Security's; see `security.py`."""

from dataclasses import dataclass

from flask import current_app
from flask import flash
from flask import redirect
from flask import render_template
from flask import url_for
from flask_babel import gettext
from flask_babel import lazy_gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from core.access import forget
from core.access import may_open
from core.crud import transaction

from . import bp
from . import forms


@dataclass(frozen=True)
class Section:
    """A page of the account; it is shown where there is one.

    :param endpoint: of its view
    """

    endpoint: str
    title: str
    text: str


#: Those that there are, under the headings of the account's page.
SECTIONS = {
    lazy_gettext("You"): (
        Section("accounts.profile", lazy_gettext("Profile"), lazy_gettext("Your name, visible to other users.")),
        Section(
            "security.change_email",
            lazy_gettext("Email address"),
            lazy_gettext("The address for mails and for signing in."),
        ),
    ),
    lazy_gettext("Signing in"): (
        Section(
            "security.change_password",
            lazy_gettext("Password"),
            lazy_gettext("Change your password. This signs out other browsers."),
        ),
        Section(
            "accounts.second_factor", lazy_gettext("Second factor"), lazy_gettext("An additional step when signing in.")
        ),
        Section(
            "security.wan_register",
            lazy_gettext("Passkeys"),
            lazy_gettext("Sign in with your device instead of a password."),
        ),
        Section(
            "accounts.sessions",
            lazy_gettext("Sessions"),
            lazy_gettext("Your signed-in browsers. Sign out of one or all."),
        ),
    ),
    lazy_gettext("Programs"): (
        Section(
            "accounts.token_list",
            lazy_gettext("Access tokens"),
            lazy_gettext("Let a program use the API on your behalf."),
        ),
    ),
    lazy_gettext("Administration"): (
        Section("accounts.user_list", lazy_gettext("People"), lazy_gettext("All accounts, and their roles.")),
        Section("accounts.role_list", lazy_gettext("Roles"), lazy_gettext("The permissions of each role.")),
        Section(
            "accounts.access_matrix",
            lazy_gettext("Access by role"),
            lazy_gettext("Pages and methods, with the roles that may use them."),
        ),
    ),
}


@bp.get("/")
def index() -> str:
    """Show what belongs to the account."""
    groups = {name: [one for one in sections if _is_there(one.endpoint)] for name, sections in SECTIONS.items()}
    return render_template("accounts/index.html", user=current_user, groups=groups)


def _is_there(endpoint: str) -> bool:
    return endpoint in current_app.view_functions and may_open(endpoint)


@bp.route("/profile", methods=["GET", "POST"])
def profile() -> str | tuple[str, int] | Response:
    """Change one's name."""
    form = forms.ProfileForm(obj=current_user)
    if not form.validate_on_submit():
        return render_template("accounts/profile.html", form=form), 422 if form.errors else 200
    with transaction():
        form.populate_obj(current_user)
    forget()
    flash(gettext("Your name is saved."), "success")
    return redirect(url_for("accounts.index"), 303)

"""The forms of roles: what one is called, what it grants, who has it."""

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import SelectMultipleField
from wtforms import StringField
from wtforms.validators import InputRequired
from wtforms.validators import Length
from wtforms.validators import NoneOf
from wtforms.validators import Regexp

from ..forms import is_one_line
from ..models import LONGEST_ROLE


class RoleForm(FlaskForm):
    """Asks what a new role is called."""

    name = StringField(
        lazy_gettext("Name"),
        [
            InputRequired(lazy_gettext("Give it a name.")),
            Length(max=LONGEST_ROLE),
            Regexp(r"[a-z][a-z0-9-]*\Z", message=lazy_gettext("Small letters, digits and hyphens; a letter first.")),
            NoneOf(["new"], message=lazy_gettext("This is the name of the page on which roles are made.")),
        ],
        description=lazy_gettext("One word, such as “editor”."),
        render_kw={"autocomplete": "off", "maxlength": LONGEST_ROLE},
    )
    description = StringField(lazy_gettext("Description"), [Length(max=200), is_one_line], render_kw={"maxlength": 200})


class GrantsForm(FlaskForm):
    """Asks what a role grants."""

    permissions = SelectMultipleField(lazy_gettext("Permissions"))


class RolesForm(FlaskForm):
    """Form for a user's roles."""

    roles = SelectMultipleField(lazy_gettext("Roles"))

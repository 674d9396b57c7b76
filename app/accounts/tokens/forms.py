"""The form that makes a personal access token."""

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import SelectField
from wtforms import SelectMultipleField
from wtforms import StringField
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # new in 3.3
from wtforms.validators import DataRequired
from wtforms.validators import InputRequired
from wtforms.validators import Length

from ..forms import is_one_line
from .issuing import DAYS
from .issuing import LONGEST_NAME
from .issuing import MOST_DAYS

#: Periods to choose from; :data:`MOST_DAYS` at most.
_PERIODS = {7: "7 days", 30: "30 days", DAYS: f"{DAYS} days", 180: "180 days", MOST_DAYS: lazy_gettext("One year")}


def _stripped(text: str | None) -> str | None:
    return text.strip() if text else text


class TokenForm(FlaskForm):
    """Asks what a token is for, what it may do, and how long."""

    name = StringField(
        lazy_gettext("Name"),
        [DataRequired(lazy_gettext("Give it a name.")), Length(max=LONGEST_NAME), is_one_line],
        filters=[_stripped],
        description=lazy_gettext("What it is for, such as “Backup on the office server”."),
        render_kw={"autocomplete": "off", "maxlength": LONGEST_NAME},
    )
    days = SelectField(
        lazy_gettext("Expires after"),
        [InputRequired()],
        choices=[SelectChoice(days, text) for days, text in _PERIODS.items()],
        coerce=int,
        default=DAYS,
        description=lazy_gettext("Then make a new one: every token expires."),
    )
    scopes = SelectMultipleField(
        lazy_gettext("What it may do"),
        [InputRequired(lazy_gettext("Choose what the token may do."))],
        description=lazy_gettext("Only as long as you may do it yourself. Choose as little as its work needs."),
    )

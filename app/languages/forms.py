"""The form of the language and the time zone."""

from typing import Any

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import HiddenField
from wtforms import SelectField

import settings
from core.http.languages import time_zones


class PreferencesForm(FlaskForm):
    """Form of the language and the time zone of a visitor; empty for the browser's."""

    language = SelectField(lazy_gettext("Language"))
    time_zone = SelectField(lazy_gettext("Time zone"), description=lazy_gettext("Times are shown and read in it."))
    next = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        browser = lazy_gettext("As the browser")
        self.language.choices = [("", browser), *settings.LANGUAGES.items()]
        self.time_zone.choices = [("", browser), *((name, name.replace("_", " ")) for name in sorted(time_zones()))]

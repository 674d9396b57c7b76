"""The language and the time zone of an answer, chosen when its first text is written.

A page is in the language that its reader has chosen for their account, else in that of their cookie, else in the one
that ``Accept-Language`` prefers; the answer of an API depends on that header alone. A catalogue of translations is
the folder ``translations/`` of the core, of ``app/`` and of each module, merged in this order: of two translations of
a text, a later module's is used.
"""

import functools
import zoneinfo
from datetime import UTC
from datetime import datetime
from pathlib import Path

from flask import Flask
from flask import current_app
from flask import g
from flask import has_request_context
from flask import request
from flask_babel import Babel
from flask_babel import format_decimal
from flask_babel import get_babel
from flask_babel import get_locale
from flask_babel import get_timezone
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

import settings

from ..access import identity
from ..exceptions import VerbError
from ..modules import installed
from .apis import is_for_programs
from .problems import Refusal

#: The language of the texts in the code, and of documents for programs.
SOURCE = "en"

#: The cookies of what a visitor has chosen.
LANGUAGE = "language"
CHOSEN_TIME_ZONE = "chosen_timezone"

#: The cookie in which a script says what the browser knows.
TIME_ZONE = "timezone"

#: The folder of catalogues, in a package.
FOLDER = "translations"

_CORE = Path(__file__).parent.parent / FOLDER


def init_app(app: Flask) -> None:
    """Choose a language for each answer."""
    # One for each application: it caches catalogues, which depend on the modules.
    Babel(
        app,
        default_locale=settings.LANGUAGE,
        default_translation_directories=str(_CORE),
        locale_selector=choose_language,
        timezone_selector=choose_time_zone,
    )
    app.jinja_env.globals |= {
        "format_decimal": format_decimal,
        "language": language,
        "language_names": settings.LANGUAGES,
    }


def collect(app: Flask) -> None:
    """Add the modules' catalogues."""
    folders = [Path(app.root_path), *(Path(str(module.package.__file__)).parent for module in installed(app))]
    get_babel(app).translation_directories += [str(folder / FOLDER) for folder in folders if (folder / FOLDER).is_dir()]


def language() -> str:
    """Return the language of this answer, one of ``settings.LANGUAGES``, as HTML has it: ``pt-BR``."""
    return str(get_locale() or settings.LANGUAGE).replace("_", "-")


def choose_language() -> str | None:
    """Return the language to be used; ``None``, for the default, where there is no request."""
    if not has_request_context():
        return None
    if not is_for_programs(current_app, request):
        for chosen in (_preferred("language"), request.cookies.get(LANGUAGE)):
            if chosen in settings.LANGUAGES:
                return chosen
    return request.accept_languages.best_match([*settings.LANGUAGES], settings.LANGUAGE)


def choose_time_zone() -> str | None:
    """Return the time zone of a page's reader, by its name at IANA; ``None`` for UTC."""
    if not has_request_context() or is_for_programs(current_app, request):
        return None
    for chosen in (_preferred("time_zone"), request.cookies.get(CHOSEN_TIME_ZONE), request.cookies.get(TIME_ZONE)):
        if chosen in time_zones():
            return chosen
    return None


def zone_name() -> str:
    """Return the name of the reader's time zone: ``UTC``, ``Europe/Madrid``."""
    return str(get_timezone())


def moments(local: datetime) -> list[datetime]:
    """Return the moments at which clocks show a time in the reader's zone, the earlier first.

    It is one, none where clocks are put forward over it, and two where they are put back.
    """
    zone = get_timezone()
    found = {zone.localize(local, is_dst=is_dst).astimezone(UTC) for is_dst in (True, False)}
    return sorted(one for one in found if one.astimezone(zone).replace(tzinfo=None) == local)


@functools.cache
def time_zones() -> frozenset[str]:
    """Return the names of all time zones."""
    return frozenset(zoneinfo.available_timezones())


def _preferred(name: str) -> str:
    """Return what the current identity prefers; empty where it is not known, and cannot be looked up."""
    # The lookup of the identity may itself write a text, of its failure: that one cannot wait for the identity.
    if g.get("is_choosing"):
        return ""
    g.is_choosing = True
    try:
        return str(getattr(identity(), name))
    except (HTTPException, Refusal, SQLAlchemyError, VerbError):
        return ""
    finally:
        g.is_choosing = False

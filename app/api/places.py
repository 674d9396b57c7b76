"""The verbs of countries and cities. No HTTP."""

import unicodedata

from core.access import PUBLIC
from core.access import permission
from core.crud import Crud

from .models import LONGEST_NAME
from .models import City
from .models import Country

#: Letters whose mark is part of them, so that Unicode does not take it off.
_PLAIN = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ð": "d", "đ": "d", "ħ": "h", "ı": "i", "ł": "l", "þ": "th", "ə": "e"}
    | dict.fromkeys("‘’ʻʼ", "'")
)


def fold(text: str) -> str:
    """Bring a name into the form in which it is searched: ``São Paulo`` to ``sao paulo``.

    A few letters become several; what is longer than the column then is cut, in names and searches alike.
    """
    apart = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return (plain.casefold().translate(_PLAIN) or text)[:LONGEST_NAME]


class Countries(Crud):
    """The countries, by name."""

    model = Country
    search = ("name",)
    filters = {"code": ("eq", "in"), "continent": ("eq", "in"), "population": ("gte", "lte")}
    sorts = ("name", "population", "area_km2", "code")
    order = ("name",)
    # No face writes them.
    access = {"list": PUBLIC, "get": PUBLIC}


class Cities(Crud):
    """The cities, the largest first."""

    model = City
    search = ("search_name",)
    filters = {
        "name": ("eq", "startswith"),
        "country_code": ("eq", "in"),
        "population": ("gte", "lte"),
    }
    sorts = ("name", "population")
    order = ("-population",)
    access = {
        "list": PUBLIC,
        "get": PUBLIC,
        "create": permission("api.city.add"),
        "update": permission("api.city.edit", owner="owner_key"),
        "delete": permission("api.city.edit", owner="owner_key"),
    }

    def check(self, item: City) -> None:
        """Keep the form in which the city is searched with its name."""
        item.search_name = fold(item.name)

    def fold(self, text: str) -> str:
        """Search as the column holds it."""
        return fold(text)


countries = Countries()
cities = Cities()

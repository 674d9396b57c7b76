"""The places as JSON, under ``/api/v1``."""

from flask import Blueprint
from flask import url_for

from core.access import PUBLIC
from core.access import access
from core.rest import Api
from core.rest import ModelResource

from . import places
from . import schemas

v1 = Blueprint("v1", __name__, url_prefix="/v1")
api = Api(v1)


class CountryResource(ModelResource):
    """Reference data: read only."""

    verbs = places.countries
    schema = schemas.CountrySchema
    allow = ("list", "get")


class CityResource(ModelResource):
    """The cities: all verbs."""

    verbs = places.cities
    schema = schemas.CitySchema
    includes = {"country": schemas.CountrySchema}


CountryResource.register(api, "/countries")
CityResource.register(api, "/cities")


@v1.get("", strict_slashes=False)
@access(PUBLIC)
def index() -> dict[str, str]:
    """Say which collections there are."""
    return {"countries": url_for(".countries"), "cities": url_for(".cities")}

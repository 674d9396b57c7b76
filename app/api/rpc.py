"""Cities, for programs that ask for one or for those around a place."""

from typing import Annotated
from typing import TypedDict
from typing import cast

from marshmallow.validate import Range

from core.access import PUBLIC
from core.access import access
from core.rest import make_reader

from . import distances
from .models import City
from .places import cities
from .schemas import CitySchema


class Place(TypedDict):
    """A city."""

    id: int
    name: str
    country_code: str
    latitude: float
    longitude: float
    population: int
    timezone: str


class NearbyPlace(Place):
    """A city, and how far it is."""

    distance_km: float


#: Reads no entity: nothing is written.
place = make_reader(cities, CitySchema(only=tuple(Place.__annotations__)))


@access(PUBLIC)
def city(id: Annotated[int, Range(min=1, max=2**31 - 1)]) -> Place:
    """Return one city.

    :param id: its number, that of GeoNames for most
    :raises NotFound: if there is none
    :example: {"id": 3117735}
    """
    found, _ = place.one(id)
    # The schema shows what a Place has, and no more.
    return cast(Place, found)


@access(PUBLIC)
def nearest_cities(
    latitude: Annotated[float, Range(min=-90, max=90)],
    longitude: Annotated[float, Range(min=-180, max=180)],
    limit: Annotated[int, Range(min=1, max=100)] = 10,
) -> list[NearbyPlace]:
    """List the cities around a place, the nearest first.

    Distances are along the surface of a round earth; the true ones differ by half a percent at most.

    :param latitude: in degrees, below zero in the south
    :param longitude: in degrees, below zero in the west
    :param limit: how many at most
    :example: {"latitude": 40.4168, "longitude": -3.7038, "limit": 5}
    """
    found = distances.nearest(latitude, longitude, limit)
    return [{**_shown(one.city), "distance_km": round(one.km, 3)} for one in found]


def _shown(one: City) -> Place:
    return {
        "id": one.id,
        "name": one.name,
        "country_code": one.country_code,
        "latitude": one.latitude,
        "longitude": one.longitude,
        "population": one.population,
        "timezone": one.timezone,
    }

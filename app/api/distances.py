"""Which cities are nearest to a place on the globe."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services import db

from .models import City

#: The mean radius of the earth (IUGG); it is flattened, so that distances are off by half a percent at most.
RADIUS_KM = 6371.0088

#: There is nothing farther away.
FARTHEST_KM = math.pi * RADIUS_KM

#: Where the search begins.
FIRST_KM = 4.0

#: So many cities are read at once while it is not known how far away enough of them are.
MANY = 1000

#: The search ends when it is known that well.
EXACT_KM = 1.0


@dataclass(frozen=True)
class Nearby:
    """A city, and how far it is."""

    city: City
    km: float


def nearest(latitude: float, longitude: float, limit: int) -> list[Nearby]:
    """Return the nearest cities, the nearest first.

    They are looked for in a box around the place, which grows until it holds enough and shrinks while it
    holds many more: the cost does not depend on how many cities there are elsewhere.
    """
    place = (latitude, longitude)
    found, _ = _within(place, _far_enough(place, limit))
    chosen = dict(found[:limit])
    cities = db.session.scalars(sa.select(City).where(City.id.in_(chosen)))
    return sorted((Nearby(city, chosen[city.id]) for city in cities), key=lambda one: (one.km, one.city.id))


def _far_enough(place: tuple[float, float], limit: int) -> float:
    """Return a distance within which there are so many cities, if there are as many, and few more."""
    few, enough = 0.0, FARTHEST_KM
    km = FIRST_KM
    while enough - few > EXACT_KM:
        found, is_all = _within(place, km, MANY)
        if len(found) < limit and not is_all:
            # The many are in the corners of the box.
            found, is_all = _within(place, km)
        if len(found) < limit:
            few = km
        else:
            enough = found[limit - 1][1]
            if is_all:
                break
        km = min(2 * km, FARTHEST_KM) if enough == FARTHEST_KM else (few + enough) / 2
    return enough


def _within(place: tuple[float, float], km: float, most: int | None = None) -> tuple[list[tuple[int, float]], bool]:
    """Return (id, distance) of the cities at most so far away, the nearest first, and whether these are all.

    :param most: so many in the box are enough, whichever they are
    """
    select = sa.select(City.id, City.latitude, City.longitude).where(*box(*place, km)).limit(most)
    rows = db.session.execute(select).all()
    distances = ((row.id, distance_km(*place, row.latitude, row.longitude)) for row in rows)
    # Two antipodes are as far as there is, give or take a rounding.
    inside = ((key, far) for key, far in distances if far <= km or km == FARTHEST_KM)
    return sorted(inside, key=lambda one: (one[1], one[0])), most is None or len(rows) < most


def distance_km(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Return the way along the surface between two places, by the haversine formula."""
    here, there = math.radians(latitude), math.radians(to_latitude)
    across = math.sin((there - here) / 2) ** 2
    along = math.sin(math.radians(to_longitude - longitude) / 2) ** 2
    part = across + math.cos(here) * math.cos(there) * along
    return 2 * RADIUS_KM * math.asin(math.sqrt(min(1.0, part)))


def box(latitude: float, longitude: float, km: float) -> Sequence[sa.ColumnElement[bool]]:
    """Return the conditions of the smallest box of degrees that holds a circle."""
    # Slightly wider, so that no rounding cuts off what lies on the edge.
    angle = km / RADIUS_KM * (1 + 1e-9) + 1e-12
    high, low = latitude + math.degrees(angle), latitude - math.degrees(angle)
    rows = [City.latitude.between(max(low, -90.0), min(high, 90.0))]
    if high >= 90 or low <= -90:
        # A pole lies within: every longitude does.
        return rows
    width = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(latitude)))))
    return [*rows, _between_meridians(longitude - width, longitude + width)]


def _between_meridians(west: float, east: float) -> sa.ColumnElement[bool]:
    column: Any = City.longitude
    if west < -180:
        # Beyond the antimeridian the degrees go on from the other end.
        return sa.or_(column >= west + 360, column <= east)
    if east > 180:
        return sa.or_(column >= west, column <= east - 360)
    return sa.and_(column >= west, column <= east)

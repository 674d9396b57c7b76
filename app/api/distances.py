"""Cities near a place on the globe."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from services import db

from .models import City

#: The mean radius of the earth (IUGG); it is flattened, so that distances are off by half a percent at most.
RADIUS_KM = 6371.0088

#: There is nothing farther away.
FARTHEST_KM = math.pi * RADIUS_KM

#: First radius of the search, and the factor by which it grows.
FIRST_KM = 16.0
GROWTH = 4

#: So many cities are read at once, more only where a smaller circle holds too few.
MANY = 500

#: A large circle is covered by bands of latitude: a box of degrees around it would be mostly corners.
LARGE_KM = 500.0
BANDS = 6

#: A circle that is larger by no more than this factor is the same one.
_CLOSE = 1.02

#: Margin around a circle, so that no rounding cuts off what lies on the edge.
_EDGE = 1e-9


@dataclass(frozen=True)
class Nearby:
    """A city, and how far it is."""

    city: City
    km: float


def nearest(latitude: float, longitude: float, limit: int) -> list[Nearby]:
    """Return the nearest cities, the nearest first.

    A circle around the place grows until it holds enough, and shrinks while it holds many more: what is read
    depends neither on how many cities there are elsewhere, nor on where the place is.
    """
    chosen = dict(_find((latitude, longitude), limit)[:limit])
    cities = db.session.scalars(sa.select(City).where(City.id.in_(chosen)))
    return sorted((Nearby(city, chosen[city.id]) for city in cities), key=lambda one: (one.km, one.city.id))


def _find(place: tuple[float, float], limit: int) -> list[tuple[int, float]]:
    """Return (id, distance) of enough cities and few more, the nearest first."""
    many = max(MANY, 2 * limit)
    few, enough, km = 0.0, math.inf, FIRST_KM
    while True:
        count = _count(place, km, many)
        if count <= many:
            found = _read(place, km) if count >= limit or km == FARTHEST_KM else []
            if len(found) >= limit or km == FARTHEST_KM:
                return found
            # Surplus cities may all lie beside the circle.
            few, enough = km, enough if enough > km * _CLOSE else math.inf
        else:
            enough = km
        if enough == math.inf:
            km = min(GROWTH * km, FARTHEST_KM)
        else:
            # Many may lie in one place: no circle is searched for longer than it takes to read them.
            km, many = (few + enough) / 2, many * 3 // 2


def _count(place: tuple[float, float], km: float, many: int) -> int:
    """Count the cities in what covers a circle; one more than many for more."""
    rows = sa.select(City.id).where(covering(*place, km)).limit(many + 1).subquery()
    return db.session.scalar(sa.select(sa.func.count()).select_from(rows)) or 0


def _read(place: tuple[float, float], km: float) -> list[tuple[int, float]]:
    """Return (id, distance) of the cities at most so far away, the nearest first."""
    select = sa.select(City.id, City.latitude, City.longitude).where(covering(*place, km))
    rows = db.session.execute(select).all()
    distances = ((row.id, distance_km(*place, row.latitude, row.longitude)) for row in rows)
    # Two antipodes are as far as there is, give or take a rounding.
    inside = ((key, far) for key, far in distances if far <= km or km == FARTHEST_KM)
    return sorted(inside, key=lambda one: (one[1], one[0]))


def distance_km(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Return the way along the surface between two places, by the haversine formula."""
    here, there = math.radians(latitude), math.radians(to_latitude)
    across = math.sin((there - here) / 2) ** 2
    along = math.sin(math.radians(to_longitude - longitude) / 2) ** 2
    part = across + math.cos(here) * math.cos(there) * along
    return 2 * RADIUS_KM * math.asin(math.sqrt(min(1.0, part)))


# --- what covers a circle -----------------------------------------------------------------------


def covering(latitude: float, longitude: float, km: float) -> sa.ColumnElement[bool]:
    """Return the condition that a city lies in a circle, or beside it: boxes of degrees, which an index finds."""
    angle = km / RADIUS_KM * (1 + _EDGE) + _EDGE
    here = math.radians(latitude)
    south, north = max(here - angle, -math.pi / 2), min(here + angle, math.pi / 2)
    is_large = km > LARGE_KM or abs(here) + angle >= math.pi / 2
    bands = BANDS if is_large else 1
    edges = [south + (north - south) * number / bands for number in range(bands + 1)]
    boxes = [
        sa.and_(
            City.latitude.between(math.degrees(low) - _EDGE, math.degrees(high) + _EDGE),
            *_between_meridians(longitude, math.degrees(_width(here, angle, low, high)) + _EDGE),
        )
        for low, high in pairwise(edges)
    ]
    return sa.or_(*boxes)


def _width(here: float, angle: float, low: float, high: float) -> float:
    """Return by how many degrees of longitude, in radians, a circle reaches to each side within a band."""
    widths = [_width_at(here, angle, low), _width_at(here, angle, high)]
    # If no pole lies within, it is widest where a meridian touches it.
    if math.cos(angle) > abs(math.sin(here)) and low <= math.asin(math.sin(here) / math.cos(angle)) <= high:
        widths.append(math.asin(min(1.0, math.sin(angle) / math.cos(here))))
    return max(widths)


def _width_at(here: float, angle: float, latitude: float) -> float:
    """Return the same on one parallel."""
    scale = math.cos(here) * math.cos(latitude)
    if scale < _EDGE:
        return math.pi
    part = (math.cos(angle) - math.sin(here) * math.sin(latitude)) / scale
    return math.acos(max(-1.0, min(1.0, part)))


def _between_meridians(longitude: float, width: float) -> list[sa.ColumnElement[bool]]:
    column: Any = City.longitude
    west, east = longitude - width, longitude + width
    if width >= 180:
        return []
    if west < -180:
        # Beyond the antimeridian the degrees go on from the other end.
        return [sa.or_(column >= west + 360, column <= east)]
    if east > 180:
        return [sa.or_(column >= west, column <= east - 360)]
    return [column.between(west, east)]

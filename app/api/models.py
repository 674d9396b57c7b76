"""The tables of the demo: countries and their cities, as GeoNames has them."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.models import Versioned
from services import db

#: Letters in the name of a city.
LONGEST_NAME = 200


def exact(length: int) -> sa.String:
    """Make a text type that compares character by character on every engine.

    MariaDB's own comparison takes ``es`` for ``ES``, so that a foreign key would accept it, and its
    ``utf8mb4_bin`` takes ``Madrid`` with a space behind for ``Madrid``; in a language's order, PostgreSQL
    cannot use an index for the beginning of a name.
    """
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(sa.String(length, collation="utf8mb4_nopad_bin"), "mysql", "mariadb")
    )


class Country(db.Model):
    """A country or territory with an ISO 3166-1 code."""

    __tablename__ = "api_country"

    code: Mapped[str] = mapped_column(exact(2), primary_key=True, info={"description": "ISO 3166-1, two letters"})
    iso3: Mapped[str] = mapped_column(exact(3), info={"description": "ISO 3166-1, three letters"})
    name: Mapped[str] = mapped_column(exact(100), unique=True)
    capital: Mapped[str | None] = mapped_column(sa.String(100))
    continent: Mapped[str] = mapped_column(exact(2), info={"description": "AF, AN, AS, EU, NA, OC or SA"})
    population: Mapped[int] = mapped_column(sa.BigInteger, info={"min": 0})
    area_km2: Mapped[int] = mapped_column(info={"min": 0})
    currency_code: Mapped[str | None] = mapped_column(exact(3), info={"description": "ISO 4217"})


class City(Versioned, db.Model):
    """A city; its id is that of GeoNames, or a new one."""

    __tablename__ = "api_city"
    # Each order with and without a country is read off one index, from any place in the list: a page costs the
    # same at the first row and at the millionth. The key ends each, as it ends each order.
    __table_args__ = (
        sa.Index(None, "population", "id"),
        sa.Index(None, "country_code", "population", "id"),
        sa.Index(None, "name", "id"),
        sa.Index(None, "country_code", "name", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(exact(LONGEST_NAME))
    search_name: Mapped[str] = mapped_column(exact(LONGEST_NAME), info={"read_only": True})
    country_code: Mapped[str] = mapped_column(exact(2), sa.ForeignKey("api_country.code"))
    admin1_code: Mapped[str | None] = mapped_column(
        sa.String(20), info={"description": "the region, as GeoNames codes it"}
    )
    latitude: Mapped[float] = mapped_column(sa.Double, info={"min": -90, "max": 90})
    longitude: Mapped[float] = mapped_column(sa.Double, info={"min": -180, "max": 180})
    population: Mapped[int] = mapped_column(default=0, info={"min": 0})
    timezone: Mapped[str] = mapped_column(sa.String(40), info={"description": "its name in the IANA database"})

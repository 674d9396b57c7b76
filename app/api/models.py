"""The tables of the demo: countries and their cities, as GeoNames has them."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.data.models import Owned
from core.data.models import Versioned
from core.data.models import exact
from services import Model

#: Letters in the name of a city.
LONGEST_NAME = 200


class Country(Model):
    """A country or territory with an ISO 3166-1 code."""

    __tablename__ = "api_country"

    code: Mapped[str] = mapped_column(
        exact(2), primary_key=True, info={"description": "ISO 3166-1, two letters", "example": "ES"}
    )
    iso3: Mapped[str] = mapped_column(exact(3), info={"description": "ISO 3166-1, three letters", "example": "ESP"})
    name: Mapped[str] = mapped_column(exact(100), unique=True, info={"example": "Spain"})
    capital: Mapped[str | None] = mapped_column(sa.String(100), info={"example": "Madrid"})
    continent: Mapped[str] = mapped_column(
        exact(2), info={"description": "AF, AN, AS, EU, NA, OC or SA", "example": "EU"}
    )
    population: Mapped[int] = mapped_column(sa.BigInteger, info={"min": 0, "example": 46723749})
    area_km2: Mapped[int] = mapped_column(info={"min": 0, "example": 504782})
    currency_code: Mapped[str | None] = mapped_column(exact(3), info={"description": "ISO 4217", "example": "EUR"})

    def __str__(self) -> str:
        return self.name


class City(Owned, Versioned, Model):
    """A city; its id is that of GeoNames, or a new one."""

    __tablename__ = "api_city"
    # Each order with and without a country is read off one index, from any place in the list: a page costs the
    # same at the first row and at the millionth. The key ends each, as it ends each order.
    __table_args__ = (
        sa.Index(None, "population", "id"),
        sa.Index(None, "country_code", "population", "id"),
        sa.Index(None, "name", "id"),
        sa.Index(None, "country_code", "name", "id"),
        # Nearby cities are found by this index.
        sa.Index(None, "latitude", "longitude"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(exact(LONGEST_NAME), info={"example": "Madrid"})
    search_name: Mapped[str] = mapped_column(exact(LONGEST_NAME), info={"read_only": True})
    country_code: Mapped[str] = mapped_column(exact(2), sa.ForeignKey("api_country.code"), info={"example": "ES"})
    country: Mapped[Country] = relationship()
    admin1_code: Mapped[str | None] = mapped_column(
        sa.String(20), info={"description": "the region, as GeoNames codes it", "example": "29"}
    )
    latitude: Mapped[float] = mapped_column(sa.Double, info={"min": -90, "max": 90, "example": 40.4165})
    longitude: Mapped[float] = mapped_column(sa.Double, info={"min": -180, "max": 180, "example": -3.70256})
    population: Mapped[int] = mapped_column(default=0, info={"min": 0, "example": 3255944})
    timezone: Mapped[str] = mapped_column(
        sa.String(40), info={"description": "its name in the IANA database", "example": "Europe/Madrid"}
    )

    def __str__(self) -> str:
        return self.name

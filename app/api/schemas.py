"""Schemas of the places: the fields that are shown and accepted."""

from core.fields.schemas import ModelSchema

from .models import City
from .models import Country


class CountrySchema(ModelSchema):
    """A country."""

    class Meta:
        model = Country


class CitySchema(ModelSchema):
    """A city."""

    class Meta:
        model = City
        exclude = ("search_name",)

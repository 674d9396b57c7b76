"""A change as JSON."""

from core.schemas import ModelSchema

from .models import Change


class ChangeSchema(ModelSchema):
    """One row was created, updated or deleted."""

    class Meta:
        model = Change

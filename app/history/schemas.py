"""A change as JSON, with what of it the reader may see."""

from collections.abc import Sequence
from typing import Any

from marshmallow import fields
from marshmallow import post_dump

from core.fields.schemas import ModelSchema

from .models import Change
from .sight import Sight

#: Fields that are filled in with what the reader may see.
FILLED = ("before", "after", "hidden", "cut")


class ChangeSchema(ModelSchema):
    """One row was created, updated or deleted."""

    class Meta:
        model = Change
        exclude = ("brief_before", "brief_after")

    is_long = fields.Boolean(
        dump_only=True,
        metadata={"description": "Whether the values are too long to be shown in a list: ask for the change alone."},
    )

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """Return a value of a change, without what :meth:`leave_out` fills in."""
        return None if attr in FILLED else super().get_attribute(obj, attr, default)

    @post_dump(pass_collection=True, pass_original=True)
    def leave_out(self, data: Any, original: Any, *, many: bool, **rest: Any) -> Any:
        """Leave out the values that the reader may not see."""
        bodies: Sequence[dict[str, Any]] = data if many else [data]
        changes: Sequence[Change] = original if many else [original]
        sight = Sight(changes)
        for body, change in zip(bodies, changes, strict=True):
            before, after = sight.values(change)
            names = (sight.secrets(change) or None, sight.cut(change) or None)
            seen = dict(zip(FILLED, (before, after, *names), strict=True))
            body |= {name: value for name, value in seen.items() if name in body}
        return data

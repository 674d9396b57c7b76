"""A change as JSON, with what of it the reader may see."""

from collections.abc import Sequence
from typing import Any

from marshmallow import post_dump

from core.schemas import ModelSchema

from .models import Change
from .sight import Sight


class ChangeSchema(ModelSchema):
    """One row was created, updated or deleted."""

    class Meta:
        model = Change

    @post_dump(pass_collection=True, pass_original=True)
    def leave_out(self, data: Any, original: Any, *, many: bool, **rest: Any) -> Any:
        """Leave out the values that the reader may not see."""
        bodies: Sequence[dict[str, Any]] = data if many else [data]
        changes: Sequence[Change] = original if many else [original]
        sight = Sight(changes)
        for body, change in zip(bodies, changes, strict=True):
            before, after = sight.values(change)
            seen = {"before": before, "after": after, "hidden": sight.secrets(change) or None}
            body |= {name: value for name, value in seen.items() if name in body}
        return data

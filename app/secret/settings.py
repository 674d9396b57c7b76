"""The time at which ``SECRET_KEY`` was changed, by which it is known when the earlier one can go."""

from datetime import UTC
from datetime import datetime

from core.configuration import Setting


def moment(text: str) -> datetime:
    """Read a moment with its zone (RFC 3339)."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError("write it like 2026-01-31T12:00:00Z")
    return found.astimezone(UTC)


SETTINGS = (
    Setting(
        "SECRET_KEY_ROTATED_AT",
        moment,
        None,
        "when `SECRET_KEY` was changed, `2026-01-31T12:00:00Z`; `flask secret rotate` writes it",
    ),
)

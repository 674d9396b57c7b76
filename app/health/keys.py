"""Settings of the health checks."""

from config import Key
from config import one_of

KEYS = (
    Key(
        "HEALTH_DATABASE_AHEAD",
        one_of("refuse", "allow"),
        "refuse",
        "whether a process is ready whose database newer code has migrated: `refuse`, or `allow` as long as nothing "
        "is missing, while several machines are upgraded one after the other",
    ),
)

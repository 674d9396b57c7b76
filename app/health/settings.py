"""Settings of the health checks."""

from core.configuration import Setting
from core.configuration import one_of

SETTINGS = (
    Setting(
        "HEALTH_DATABASE_AHEAD",
        one_of("refuse", "allow"),
        "refuse",
        "whether a process is ready whose database newer code has migrated: `refuse`, or `allow` as long as nothing "
        "is missing, while several machines are upgraded one after the other",
    ),
)

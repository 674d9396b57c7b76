"""Settings of what is done about a database that does not answer."""

from core.configuration import Setting
from core.configuration import integer

#: Prefixes of the settings' names.
PREFIXES = ("DATABASE_STATEMENT",)

SETTINGS = (
    Setting(
        "DATABASE_STATEMENT_SECONDS",
        integer(0, 3600),
        10,
        "how long a request waits for one statement, in seconds, before it is answered with 503; 0 for ever",
    ),
)

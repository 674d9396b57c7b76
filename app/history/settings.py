"""The configuration of the history: the bytes that are kept of a change."""

from core.configuration import Setting
from core.configuration import integer

SETTINGS = (
    Setting(
        "HISTORY_CHANGE_BYTES",
        integer(1024, 100_000_000),
        "262144",
        "bytes that the history keeps of one change, values before and after together; what is longer is named as "
        "not kept, and cannot be undone",
    ),
)

"""Settings of the monitoring: access to the metrics, their place, and limits for slow requests."""

import os
import re

import config
from core.configuration import Setting
from core.configuration import integer

#: Prefixes of the settings' names.
PREFIXES = ("METRICS", "SLOW")


def token(text: str) -> str:
    """Read what a collector sends."""
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]{16,200}", text):
        raise ValueError("write 16 to 200 letters, digits and any of . _ ~ + / -")
    return text


def folder(text: str) -> str | None:
    """Read where the processes count together; a relative path is held to the project."""
    return None if text.lower() == "none" else str(config.ROOT / text)


def _kept() -> str:
    # systemd names several, separated by colons.
    kept = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return f"{kept or 'instance'}/metrics"


SETTINGS = (
    Setting(
        "METRICS_TOKEN",
        token,
        None,
        "what a collector sends as `Authorization: Bearer …` to read `/metrics`, at least 16 characters; without it, "
        "only administrators may, and in development this machine",
        is_secret=True,
    ),
    Setting(
        "METRICS_FOLDER",
        folder,
        {"development": _kept(), "testing": "none", "production": _kept()},
        "where the processes of this service on this machine count together, a folder for it alone; `none` for each "
        "for itself; `metrics` in systemd's state directory, else `instance/metrics`, none in testing",
    ),
    Setting(
        "SLOW_REQUEST_SECONDS",
        integer(0, 3600),
        1,
        "requests that take longer are logged, with what their SQL took of it; 0 for none",
    ),
)

"""Checks of what the platform runs on: Python and the packages."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC
from datetime import date
from datetime import datetime
from importlib import metadata

from .findings import Deployment
from .findings import Finding
from .findings import Level
from .findings import Needs
from .findings import check

#: The last day on which a Python is repaired (devguide.python.org/versions).
PYTHON_ENDS = {
    (3, 11): date(2027, 10, 31),
    (3, 12): date(2028, 10, 31),
    (3, 13): date(2029, 10, 31),
    (3, 14): date(2030, 10, 31),
}

#: A line of requirements.txt: the name, the version, and where it counts.
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)(?P<marker>\s*;[^\\]*)?", re.M)


def today() -> date:
    """Return the day in UTC."""
    return datetime.now(UTC).date()


@check("core.python-old", Level.WARNING, needs=Needs.NOTHING)
def python_old(deployment: Deployment) -> Iterator[Finding]:
    """Python is still repaired."""
    version = sys.version_info[:2]
    ends = PYTHON_ENDS.get(version)
    if ends is not None and ends < today():
        yield Finding(
            f"Python {version[0]}.{version[1]} is not repaired since {ends:%B %Y}.",
            "Run a newer Python.",
            sys.executable,
        )


@check("core.packages-differ", Level.WARNING, needs=Needs.NOTHING)
def packages_differ(deployment: Deployment) -> Iterator[Finding]:
    """The packages are those of requirements.txt."""
    path = deployment.root / "requirements.txt"
    pins = _PIN.finditer(path.read_text()) if path.is_file() else ()
    # A pin with a marker counts on some machines only.
    wanted = {pin["name"]: pin["version"] for pin in pins if not pin["marker"]}
    found = {name: _installed(name) for name in wanted}
    differ = [f"{name} {found[name] or 'missing'} for {wanted[name]}" for name in wanted if found[name] != wanted[name]]
    if differ:
        more = f" and {len(differ) - 5} more" if len(differ) > 5 else ""
        yield Finding(
            f"Other packages are installed than requirements.txt names: {', '.join(differ[:5])}{more}.",
            "scripts/install requirements.txt",
            "requirements.txt",
        )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None

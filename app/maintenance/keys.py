"""The path of the file that closes the site."""

from config import ROOT
from config import Key


def project_path(text: str) -> str:
    """Read a path, which does not follow the current folder."""
    if "\0" in text or not (ROOT / text).name:
        raise ValueError("write the path of a file")
    return str(ROOT / text)


KEYS = (
    Key(
        "MAINTENANCE_FILE",
        project_path,
        "instance/maintenance.json",
        "the file that closes the site while it is there (`flask maintenance on`); in a folder that several machines "
        "share, all of them",
    ),
)

"""The path of the file that closes the site."""

from config import ROOT
from core.configuration import Setting
from core.configuration import path_in

SETTINGS = (
    Setting(
        "MAINTENANCE_FILE",
        path_in(ROOT),
        "instance/maintenance.json",
        "the file that closes the site while it is there (`flask maintenance on`); in a folder that several machines "
        "share, all of them",
    ),
)

"""All settings of a deployment, read and checked as a whole."""

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import databases
from . import environments
from .flask_values import flask_values
from .flask_values import passed_on
from .settings import ConfigError
from .settings import Group
from .settings import Setting
from .sources import read
from .sources import variables


def load(
    settings: Sequence[Setting], groups: Sequence[Group], environ: Mapping[str, str] | None, root: Path
) -> dict[str, Any]:
    """Return what ``app.config`` holds; see :func:`config.load`.

    :param settings: those of the platform
    :param groups: the settings of modules
    :param root: the folder of the project
    :raises ConfigError: naming every fault at once
    """
    faults: list[str] = []
    if environ is None:
        environ = variables(root, faults)
    platform = read(settings, environ, root, faults)
    url = databases.database_url(platform, root, faults)
    faults += environments.find_faults(platform, environ, url)
    others = read([setting for group in groups for setting in group.settings], environ, root, faults)
    values = {**platform, **others}
    faults += [fault for group in groups for fault in group.faults(values)]
    if faults or url is None:
        raise ConfigError(faults)
    return {**passed_on(values), **flask_values(platform, url, root)}

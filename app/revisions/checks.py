"""Checks of the models: migrations find all their tables."""

from collections.abc import Iterator

from app.doctor import Deployment
from app.doctor import Finding
from app.doctor import Level
from app.doctor import check
from core import modules

from .strays import find_strays


@check("revisions.table-stray", Level.ERROR)
def table_stray(deployment: Deployment) -> Iterator[Finding]:
    """Every table that a module declares is in the reach of its models.py, and so of migrations."""
    for stray in find_strays(modules.installed(deployment.app)):
        yield Finding(stray.message, stray.hint, stray.file)

"""Engines of databases, and the file here for each."""

from pathlib import Path
from typing import Protocol
from typing import cast

from sqlalchemy import URL

from core.cli.progress import Advance

from . import mariadb
from . import postgresql
from . import sqlite
from .archives import Manifest
from .archives import Writer
from .contents import Contents


class Engine(Protocol):
    """Interface of each engine's file."""

    def take(self, url: URL, writer: Writer, folder: Path) -> Contents: ...

    def read_back(self, path: Path, manifest: Manifest, advance: Advance) -> dict[str, int]: ...

    def existing(self, url: URL) -> list[str]: ...

    def restore(self, url: URL, path: Path, manifest: Manifest, *, replace: bool) -> None: ...

    def create(self, url: URL, name: str) -> None: ...

    def drop(self, url: URL, name: str) -> None: ...


ENGINES: dict[str, Engine] = {
    "mariadb": cast(Engine, mariadb),
    "postgresql": cast(Engine, postgresql),
    "sqlite": cast(Engine, sqlite),
}


def name_of(url: URL) -> str:
    """Return ``sqlite``, ``postgresql`` or ``mariadb``, which is MySQL's too."""
    return {"mysql": "mariadb"}.get(url.get_backend_name(), url.get_backend_name())

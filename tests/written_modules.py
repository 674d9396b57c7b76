"""Fixtures that write modules, and a history of migrations, for one test; a conftest imports those that it needs."""

import shutil
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import sqlalchemy as sa

import settings
from config import ROOT
from core.data import revisions
from services import Base


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Write a package that can be imported until the test ends: ``write_module("a.b", models="…")``.

    The keywords are its files, ``init`` for ``__init__``. Tables that it leaves in the shared
    metadata are taken out again.
    """
    monkeypatch.syspath_prepend(str(tmp_path))
    known, tables = set(sys.modules), set(Base.metadata.tables)

    def write(name: str, **files: str) -> str:
        folder = tmp_path.joinpath(*name.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        for parent in folder.relative_to(tmp_path).parents:
            tmp_path.joinpath(parent, "__init__.py").touch()
        for file, source in {"init": "", **files}.items():
            path = folder / f"{'__init__' if file == 'init' else file}.py"
            path.write_text(dedent(source))
        return name

    yield write
    own = {name for name in set(sys.modules) - known if _is_below(sys.modules[name], tmp_path)}
    for name in own:
        del sys.modules[name]
    for manager in list(Base.registry._managers):
        # A class whose mapping has failed stays known, unmapped, until it is collected.
        if manager.class_.__module__ in own or not manager.is_mapped:
            Base.registry._dispose_cls(manager.class_)
            Base.registry._managers.pop(manager, None)
    for name in set(Base.metadata.tables) - tables - set(_platforms_tables()):
        Base.metadata.remove(Base.metadata.tables[name])


def _platforms_tables() -> Iterator[str]:
    """Yield the tables of the installed modules, whose first import may fall into any test."""
    for name, module in list(sys.modules.items()):
        if name.startswith(tuple(f"{installed}." for installed in settings.INSTALLED_APPS)):
            values = [value for value in vars(module).values() if isinstance(value, type | sa.Table)]
            tables = [getattr(value, "__table__", value) for value in values]
            yield from (table.name for table in tables if isinstance(table, sa.Table))


def _is_below(module: Any, folder: Path) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(str(folder))


REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "one"
down_revision = None


def upgrade():
    {upgrade}
"""


@pytest.fixture
def write_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replace the platform's history by one revision until the test ends: ``write_revision("op.…")``."""
    versions = tmp_path / "alembic" / "versions"
    versions.mkdir(parents=True)
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    shutil.copy(ROOT / "alembic" / "env.py", tmp_path / "alembic")
    monkeypatch.setattr(revisions, "ROOT", tmp_path)

    def write(upgrade: str) -> None:
        versions.joinpath("one.py").write_text(REVISION.format(upgrade=upgrade))

    return write

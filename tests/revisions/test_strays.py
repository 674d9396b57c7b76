"""Tables that no revision would have are named: by alembic, by the doctor, and at start in development."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.engine import URL

from app.revisions import strays
from core import modules
from tests.checks import found
from tests.core.projects import Project

OWN = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    metadata = sa.MetaData(info=INFO)

class Note(Base):
    __tablename__ = "LABEL_note"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
CORE = """
import sqlalchemy as sa

metadata = sa.MetaData()
note = sa.Table("LABEL_note", metadata, sa.Column("id", sa.Integer, primary_key=True), info=INFO)
"""
SHARED = """
from sqlalchemy.orm import Mapped, mapped_column
from services import db

class Note(db.Model):
    __tablename__ = "LABEL_note"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def write(project: Project, tables: str, *, models: str = "", imported: bool = True, info: str = "None") -> str:
    """Write a module whose tables are in a file of another name."""
    label = project.module("desk", models)
    package = project.folder / label
    (package / "tables.py").write_text(tables.replace("LABEL", label).replace("INFO", info))
    if imported:
        with (package / "__init__.py").open("a") as file:
            file.write("from . import tables\n")
    return label


def named(label: str) -> list[tuple[str, str]]:
    return [(Path(one.file).name, *one.tables) for one in strays.find_strays(modules.load([label]))]


@pytest.mark.parametrize(
    ("tables", "imported"), [(OWN, True), (OWN, False), (CORE, True), (CORE, False), (SHARED, False)]
)
def test_table_outside_models_is_named(project: Project, tables: str, imported: bool) -> None:
    label = write(project, tables, imported=imported)

    assert named(label) == [("tables.py", f"{label}_note")]


@pytest.mark.parametrize("tables", [OWN, CORE])
def test_base_that_models_import_is_quiet(project: Project, tables: str) -> None:
    name = "Base" if tables is OWN else "metadata"
    label = write(project, tables, models=f"from .tables import {name}")

    assert named(label) == []


def test_imported_shared_base_is_quiet(project: Project) -> None:
    assert named(write(project, SHARED)) == []


@pytest.mark.parametrize("info", ["{'bind_key': 'other'}", "{'migrated': False}"])
def test_foreign_table_is_quiet(project: Project, info: str) -> None:
    assert named(write(project, OWN, info=info)) == []


@pytest.mark.parametrize("imported", [True, False])
def test_unmigrated_table_is_quiet(project: Project, imported: bool) -> None:
    assert named(write(project, CORE, imported=imported, info='{"migrated": False}')) == []


def test_revision_and_check_name_table(project: Project, new_database: Callable[[str], URL]) -> None:
    label, url = write(project, OWN), new_database("sqlite")
    said = project.run(url, "revision", "--autogenerate", "-m", "first")[1]
    project.run(url, "upgrade", "head")

    assert f"{label}_note in " in said
    assert f"Import it in {label}/models.py" in said
    assert f"{label}_note in " in project.run(url, "check")[1]


def test_start_and_doctor_name_table(
    project: Project, make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    label = write(project, OWN)
    with caplog.at_level(logging.WARNING):
        app = make_app(None, project.installed)
        assert "no revision has" not in caplog.text
        make_app(None, project.installed, APP_ENV="development")

    (finding,) = found(app, "revisions.table-stray")
    assert finding.message.startswith(f"{label}_note in ")


def test_platform_has_no_stray(sqlite_app: Flask) -> None:
    assert list(strays.find_strays(modules.installed(sqlite_app))) == []

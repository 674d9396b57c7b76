"""Projects with modules and a history of their own, for the tests of migrations."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import alembic
import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.engine import URL

from config import ROOT
from core import migrations
from core.api.idempotency import idempotency_keys
from core.data import revisions

#: It is in every project.
CORE_TABLE = idempotency_keys.name

REVISION = """
import time
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down!r}

def upgrade():
    {upgrade}

def downgrade():
    {downgrade}
"""


class Project:
    """A folder like the platform's, with modules and a history of its own."""

    def __init__(self, folder: Path, serial: str, installed: Sequence[str] = ()) -> None:
        self.folder = folder
        self.serial = serial
        self.versions = folder / "alembic" / "versions"
        self.versions.mkdir(parents=True)
        shutil.copy(ROOT / "alembic.ini", folder)
        for name in ("env.py", "script.py.mako"):
            shutil.copy(ROOT / "alembic" / name, folder / "alembic")
        self.installed = [*installed]

    def module(self, label: str, models: str) -> str:
        """Write a module; its label is made unique, so that tests share no name in one process."""
        label = f"{label}{self.serial}"
        package = self.folder / label
        package.mkdir(exist_ok=True)
        (package / "__init__.py").write_text(f"from flask import Blueprint\n\nbp = Blueprint({label!r}, __name__)\n")
        (package / "models.py").write_text(models.replace("{label}", label).replace("LABEL", label))
        shutil.rmtree(package / "__pycache__", ignore_errors=True)
        self.installed = [*(name for name in self.installed if name != label), label]
        return label

    def rewrite(self, label: str, models: str) -> None:
        """Write other models into a module, as a developer does between two commands."""
        for name in (label, f"{label}.models"):
            sys.modules.pop(name, None)
        self.module(label.removesuffix(self.serial), models)

    def revision(self, revision: str, upgrade: str, downgrade: str = "pass", down: str | None = None) -> None:
        text = REVISION.format(revision=revision, down=down, upgrade=upgrade, downgrade=downgrade)
        (self.versions / f"{revision}.py").write_text(text)

    def written(self) -> list[Path]:
        return sorted(self.versions.glob("*.py"))

    def autogenerate(self, url: URL, message: str = "change") -> str:
        before = set(self.written())
        command.revision(self.config(url), message, autogenerate=True)
        (path,) = set(self.written()) - before
        return path.read_text()

    def config(self, url: URL) -> "alembic.config.Config":
        return migrations.make_config(url, self.installed)

    def environ(self, url: URL) -> dict[str, str]:
        settings = (ROOT / "settings.py").read_text() + f"\nINSTALLED_APPS = {self.installed!r}\n"
        (self.folder / "settings.py").write_text(settings)
        shutil.rmtree(self.folder / "__pycache__", ignore_errors=True)
        address = url.render_as_string(hide_password=False)
        return {**os.environ, "APP_ENV": "testing", "DATABASE_URL": address, "PYTHONPATH": str(ROOT)}

    def run(self, url: URL, *arguments: str, program: tuple[str, ...] = ("-m", "alembic")) -> tuple[int, str]:
        """Run the command from a folder that is not the project's; give its status and all it said."""
        done = subprocess.run(
            [sys.executable, *program, "-c", str(self.folder / "alembic.ini"), *arguments],
            env=self.environ(url),
            cwd=self.folder.parent,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout


@contextmanager
def temporary(
    folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, installed: Sequence[str] = ()
) -> Iterator[Project]:
    """Yield an empty project, with a folder, modules and a history of its own.

    :param installed: modules of the platform that it has
    """
    project = Project(folder, f"{abs(hash(request.node.nodeid)):x}"[:8], installed)
    monkeypatch.setattr(revisions, "ROOT", project.folder)
    monkeypatch.syspath_prepend(project.folder)
    yield project
    for name in [name for name in sys.modules if name.partition(".")[0].endswith(project.serial)]:
        del sys.modules[name]


@contextmanager
def connected(url: URL) -> Iterator[sa.Connection]:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        yield connection


def tables(url: URL) -> set[str]:
    with connected(url) as connection:
        return set(sa.inspect(connection).get_table_names()) - {"alembic_version", CORE_TABLE}


def execute(url: URL, statement: str) -> None:
    with connected(url) as connection:
        connection.execute(sa.text(statement))
        connection.commit()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Project]:
    """Return an empty project, with a folder, modules and a history of its own."""
    with temporary(tmp_path / "project", monkeypatch, request) as project:
        yield project

"""A small product: three modules are a whole platform, and what is not installed leaves nothing behind."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from config import ROOT
from settings import INSTALLED_APPS

OPERATIONS = [
    *("app.about", "app.backups", "app.db", "app.deploy", "app.development", "app.doctor"),
    *("app.maintenance", "app.messages", "app.revisions", "app.secret", "app.transfer", "app.uploads"),
]
PROFILE = ["app.home", "app.accounts", "app.health"]

pytestmark = pytest.mark.skipif(not {*PROFILE} <= {*INSTALLED_APPS}, reason="the product has other modules")

#: Ask for some pages, in the process of the copy.
ASK = """
import sys
from run import app

client = app.test_client()
for path in sys.argv[1:]:
    print(client.get(path, headers={"Accept": "text/html"}).status_code, path)
print(*sorted(name for name in sys.modules if name.startswith("app.") and name.count(".") == 1))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project with these modules, its database at head."""
    folder = tmp_path_factory.mktemp("profile") / "project"
    ignored = shutil.ignore_patterns(".*", "instance", "__pycache__", "tests", "node_modules", "benchmarks", "docs")
    shutil.copytree(ROOT, folder, ignore=ignored)
    settings = folder / "settings.py"
    text = re.sub(r"INSTALLED_APPS = \[.*?\]", f"INSTALLED_APPS = {PROFILE!r}", settings.read_text(), flags=re.S)
    settings.write_text(text)
    run(folder, "alembic", "upgrade", "head")
    return folder


def run(project: Path, *words: str) -> str:
    given = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run([sys.executable, "-m", *words], cwd=project, env=given, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_pages_are_served(project: Path) -> None:
    (project / "ask.py").write_text(ASK)
    *answers, imported = run(
        project, "ask", "/", "/accounts/sign-in", "/health/ready", "/docs", "/metrics"
    ).splitlines()

    assert answers == ["200 /", "200 /accounts/sign-in", "200 /health/ready", "404 /docs", "404 /metrics"]
    assert imported.split() == sorted(PROFILE)


def test_commands_are_those_of_its_modules(project: Path) -> None:
    listed = run(project, "flask", "--app", "run", "--help").partition("Commands:\n")[2]

    names = {line.split()[0] for line in listed.splitlines() if re.match(r"  \w", line)}
    assert {"accounts", "health", "prepare"} <= names
    assert {name.rpartition(".")[2] for name in {*INSTALLED_APPS, *OPERATIONS} - {*PROFILE}} & names == set()


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_goes_with_its_line(make_app: Callable[..., Flask], name: str) -> None:
    app = make_app(None, [installed for installed in INSTALLED_APPS if installed != name])

    assert app.test_client().get("/").status_code == 200
    assert name.rpartition(".")[2] not in app.cli.commands


def test_database_is_prepared_and_at_head(project: Path) -> None:
    run(project, "flask", "--app", "run", "prepare")
    run(project, "alembic", "check")

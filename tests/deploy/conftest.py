"""The files of a deployment, rendered by the command."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

import config
from core.factory import create_app

#: Configuration of the site of these tests; no database is queried.
ENVIRON = {"APP_ENV": "testing", "SECRET_KEY": "only-for-tests-0123456789-abcdefghij", "DATABASE_URL": "sqlite://"}


@pytest.fixture(scope="module")
def platform_app() -> Iterator[Flask]:
    """Return the whole platform, without tables."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield create_app(config.load(ENVIRON))
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def render(platform_app: Flask) -> Callable[..., Result]:
    """Run ``flask deploy render``."""
    runner = platform_app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=["deploy", "render", *map(str, arguments)])


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of a site of two names, written by a process of its own."""
    folder = tmp_path_factory.mktemp("rendered")
    command = [sys.executable, "-m", "flask", "--app", "run", "deploy", "render", str(folder), *OPTIONS]
    subprocess.run(command, cwd=config.ROOT, env={"PATH": os.environ["PATH"], **ENVIRON}, check=True, timeout=120)
    return folder


@pytest.fixture
def options() -> list[str]:
    """Return what ``rendered`` was rendered with."""
    return OPTIONS


OPTIONS = ["--domain", "a.example.org", "--domain", "b.example.org"]
OPTIONS += ["--daily", "history prune --days 365 --database andamio"]

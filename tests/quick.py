"""The quick tests, which `make test` runs by itself, and the order in which tests begin."""

import inspect
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from config import ROOT

#: Fixtures that start a browser, a server or a program.
STARTING = {
    "browser",
    "page",
    "start_redis",
    "start_nginx",
    "start_durable",
    "node_modules",
    "curl",
    "proxied_app",
    "make_proxied_app",
}

#: Folders and files whose every test starts one, and what reads the whole source.
LEFT_OUT = (
    *("api/survival", "decoupled", "deploy", "monitoring", "serving", "transfer", "backups"),
    *("apidocs/test_client.py", "apidocs/test_documents.py", "apidocs/test_schemathesis.py"),
    *("core/test_guards.py", "core/test_migrations.py", "revisions/test_migrations.py"),
    *("test_deploy.py", "test_docs.py", "test_html.py"),
    *("test_boundaries.py", "test_language.py", "test_observatory.py", "test_prefix.py", "test_requirements.py"),
)

#: In a test: a process of its own, another engine, or examples that hypothesis makes by the dozen.
SLOW = re.compile(r"subprocess|\bPopen|\bServerProcess\(|\"(?:postgresql|mariadb)\"|\bspawn\(|@often\b|@given\b")

ENGINES = {"sqlite", "postgresql", "mariadb"}

#: Tests that take a minute and more: they begin first, so that none of them runs alone at the end.
LONG = ("test_deploy.py", "apidocs/test_schemathesis.py", "test_docs.py", "api/survival")


def is_quick(item: pytest.Item) -> bool:
    """Return whether a test is among the quick ones; the mark ``slow`` leaves out what nothing else shows."""
    if not isinstance(item, pytest.Function) or item.get_closest_marker("slow"):
        return False
    if STARTING & set(item.fixturenames) or _is_below(item.path, LEFT_OUT):
        return False
    return _engines(item) <= {"sqlite"} and not _says_slow(item.function)


def is_on(item: pytest.Item, engine_name: str) -> bool:
    """Return whether a test runs on an engine: its parameters name that one, or none."""
    found = _engines(item)
    return not found or engine_name in found


def _engines(item: pytest.Item) -> set[str]:
    parameters = getattr(item, "callspec", None)
    return ENGINES & {str(value) for value in parameters.params.values()} if parameters else set()


@cache
def _says_slow(function: Callable[..., object]) -> bool:
    return SLOW.search(inspect.getsource(function)) is not None


def is_long(item: pytest.Item) -> bool:
    """Return whether a test is among the longest."""
    return _is_below(item.path, LONG)


def _is_below(path: Path, places: tuple[str, ...]) -> bool:
    return path.relative_to(ROOT / "tests").as_posix().startswith(places)

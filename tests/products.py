"""Tests that may have another outcome where other modules are installed."""

import inspect
import re

import pytest

from config import ROOT

#: Fixtures of the whole application, unless a folder has one of its own of the same name.
WHOLE = {"site", "visitor", "app", "client"}

#: In a test, what reads which modules there are, or makes and serves all of them.
MENTIONS = re.compile(r"INSTALLED_APPS|\b(?:run|wsgi):app\b|\bmake_app\((?:\)|[A-Z_]+=|None, None|\*\*)")

#: Here tests bring modules of their own: each is looked at alone, elsewhere a file as a whole.
ALONE = ("core", "deploy", "serving", "test_deploy.py", "test_docs.py")

#: These run once: engines differ in the same way whatever is installed.
OTHER_ENGINES = {"postgresql", "mariadb"}


def concerns(item: pytest.Item) -> bool:
    """Return whether a test depends on which modules are installed."""
    if not isinstance(item, pytest.Function):
        return True
    engine = getattr(item, "callspec", None)
    if engine is not None and OTHER_ENGINES & {str(value) for value in engine.params.values()}:
        return False
    return _uses_whole(item) or MENTIONS.search(_source(item)) is not None


def _uses_whole(item: pytest.Function) -> bool:
    """Return whether a fixture of the whole application comes from tests/conftest.py itself."""
    for name in WHOLE & set(item.fixturenames):
        definitions = item._fixtureinfo.name2fixturedefs.get(name, ())
        if definitions and definitions[-1].func.__module__ == "tests.conftest":
            return True
    return False


def _source(item: pytest.Function) -> str:
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    return inspect.getsource(item.function if folder in ALONE else item.module)

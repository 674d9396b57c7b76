"""An application of two modules written for the tests, one of which offers methods."""

import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from flask import Flask

from core.access import Identity
from services import db
from tests.identities import editor

MODULE = """
    from flask import Blueprint

    bp = Blueprint({label!r}, __name__)
"""

METHODS = '''
    """Numbers, and what goes wrong with them."""

    import enum
    import math
    from decimal import Decimal

    import sqlalchemy as sa
    from flask import abort
    from marshmallow import ValidationError
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.exc import TimeoutError

    from core.exceptions import InUse
    from core.exceptions import Invalid
    from core.exceptions import NotFound
    from core.exceptions import Stale
    from services import db


    class Colour(enum.Enum):
        RED = 1
        BLUE = 2


    def subtract(minuend: int, subtrahend: int = 1) -> int:
        """Subtract one number from another.

        Both are whole.

        :param minuend: what is taken from
        :return: the difference
        :raises NotFound: never
        :example: {"minuend": 42, "subtrahend": 23}
        """
        return minuend - subtrahend


    def total(*numbers: int) -> int:
        """Add numbers up."""
        return sum(numbers)


    def paint(colour: Colour, share: float = 0.5, *, dark: bool = False) -> Colour:
        return colour


    def keep(number: int) -> None:
        db.session.execute(sa.text("INSERT INTO numbers_kept VALUES (:number)"), {"number": number})


    def keep_then(number: int, what: str) -> object_or_none:
        keep(number)
        ERRORS[what]()


    def _private() -> int:
        return 1


    def fail(what: str) -> None:
        raise ERRORS[what]


    ERRORS = {
        "missing": NotFound("There is no number 7."),
        "invalid": Invalid({"number": ["Too odd."], "": ["Never."]}),
        "schema": ValidationError({"number": ["Too odd."]}),
        "in use": InUse("Others count on it."),
        "stale": Stale(),
        "away": OperationalError("SELECT 1", {}, Exception("secret host"), connection_invalidated=True),
        "busy": TimeoutError("no connection"),
        "bug": RuntimeError("the password is hunter2"),
        "sql": OperationalError("SELECT secret", {}, Exception("no such table")),
    }
'''.replace("object_or_none", "None").replace("ERRORS[what]()\n", "raise ERRORS[what]\n")

Call = Callable[..., Any]


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Write a module with methods that can be imported until the test ends: ``write_module("numbers", "…")``."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)

    def write(label: str, methods: str) -> str:
        folder = tmp_path / "tested" / label
        folder.mkdir(parents=True)
        (tmp_path / "tested" / "__init__.py").touch()
        (folder / "__init__.py").write_text(dedent(MODULE).format(label=label))
        (folder / "rpc.py").write_text(dedent(methods))
        return f"tested.{label}"

    yield write
    for name in {name for name in set(sys.modules) - known if name.partition(".")[0] == "tested"}:
        del sys.modules[name]


@pytest.fixture
def app(make_app: Callable[..., Flask], new_database: Any, write_module: Call, engine_name: str) -> Flask:
    """Return an application with the methods, on each engine."""
    return _with_table(
        make_app(new_database(engine_name), ["app.limits", "app.jsonrpc", write_module("numbers", METHODS)])
    )


@pytest.fixture
def sqlite_app(make_app: Callable[..., Flask], new_database: Any, write_module: Call) -> Flask:
    """Return an application with the methods, on SQLite."""
    return _with_table(
        make_app(new_database("sqlite"), ["app.limits", "app.jsonrpc", write_module("numbers", METHODS)])
    )


def _with_table(app: Flask) -> Flask:
    with app.app_context():
        db.session.execute(db.text("CREATE TABLE numbers_kept (number INTEGER)"))
        db.session.commit()
    return app


@pytest.fixture
def call(sqlite_app: Flask) -> Call:
    """Call a method of ``site`` and give its response object."""
    client = sqlite_app.test_client()

    def ask(method: str, *args: Any, **kwargs: Any) -> Any:
        return client.post("/rpc", json={"jsonrpc": "2.0", "method": method, "params": kwargs or [*args], "id": 1}).json

    return ask


@pytest.fixture
def sender() -> Callable[[], Identity]:
    """Let an identity send the requests that may do everything."""
    return editor

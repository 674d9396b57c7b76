"""A typed client, generated from the document by a tool of others, against the running server."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.accounts.tokens.texts import new_text
from app.apidocs import documents
from config import ROOT
from core.api.idempotency import idempotency_keys
from services import db
from tests import tokens
from tests.core import warehouse


@pytest.fixture
def warehouse_app(make_app, new_database):
    """Return an application of the module with every type, and its tables."""
    app = make_app(new_database("sqlite"), [warehouse.__name__, "app.apidocs"])
    with app.app_context():
        warehouse.Base.metadata.create_all(db.engine)
        idempotency_keys.create(db.engine)
        with db.engine.begin() as connection:
            connection.execute(sa.insert(warehouse.Maker).values(id=1, name="Acme"))
    return app


@pytest.fixture
def generate(tmp_path, monkeypatch) -> Iterator[Any]:
    """Generate the client of an application, and return what imports a part of it."""

    def make(app: Flask) -> Callable[[str], ModuleType]:
        (tmp_path / "openapi.json").write_text(json.dumps(documents.build(app)))
        options = ["--path", "openapi.json", "--output-path", "made_client", "--meta", "none", "--fail-on-warning"]
        done = subprocess.run(
            [sys.executable, "-m", "openapi_python_client", "generate", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            # It formats with ruff, if it finds it.
            env={"PATH": f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        monkeypatch.syspath_prepend(str(tmp_path))
        return lambda name: importlib.import_module(f"made_client.{name}")

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "made_client"]:
        del sys.modules[name]


def test_generated_client_works(warehouse_app, live_server, generate):
    generated = generate(warehouse_app)
    models = generated("models")

    def call(name: str, *arguments: Any, **named: Any) -> Any:
        return generated(f"api.warehouse_things.warehouse_things_{name}").sync_detailed(
            *arguments, client=client, **named
        )

    with generated("client").Client(base_url=live_server(warehouse_app)) as client:
        created = call("create", body=models.ThingInput(name="pen", maker_id=1, color="RED"), idempotency_key="first")
        assert created.status_code == 201
        assert isinstance(created.parsed, models.Thing)

        key, etag = created.parsed.id, created.headers["ETag"]
        read = call("get", key)
        assert (read.parsed.name, read.parsed.price, read.parsed.live) == ("pen", "1.50", False)

        updated = call("update", key, body=models.ThingPatch(rank=7), if_match=etag)
        assert (updated.parsed.rank, updated.parsed.version) == (7, 2)

        refused = call("update", key, body=models.ThingPatch(rank=8), if_match=etag)
        assert refused.status_code == 412
        assert isinstance(refused.parsed, models.Problem)
        assert refused.parsed.type_ == "/problems/precondition-failed"

        page = call("list", rank_gte=7, count=True, sort=[models.WarehouseThingsListSortItem.NAME])
        assert [thing.name for thing in page.parsed.items] == ["pen"]
        assert page.parsed.total == 1

        wrong = call("list", q="x" * 201)
        assert wrong.parsed.errors[0].parameter == "q"
        assert call("delete", key, if_match=updated.headers["ETag"]).status_code == 204


@pytest.fixture
def sender() -> None:
    """Let no visitor in without a sign-in."""


def test_generated_client_sends_a_token(make_app, live_server, generate):
    app = make_app(None, ["app.home", "app.accounts", "app.history", "app.apidocs"])
    generated = generate(app)
    base = live_server(app)

    def ask(token: str) -> Any:
        with generated("client").AuthenticatedClient(base_url=base, token=token) as client:
            return generated("api.history_api_v1_changes.history_v1_changes_list").sync_detailed(client=client)

    assert ask(new_text()).status_code == 401
    refused = ask(tokens.issue(app, "accounts.user.edit"))
    assert (refused.status_code, refused.parsed.type_) == (403, "/problems/forbidden")
    answer = ask(tokens.issue(app, "history.change.read"))
    assert (answer.status_code, answer.parsed.items[-1].verb) == (200, "create")

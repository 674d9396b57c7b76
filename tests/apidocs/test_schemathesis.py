"""schemathesis, an attacker that reads the document: every operation, with valid, invalid and hostile requests.

In the suite they are the same each time, so that a failure is due to a change, and each phase has one engine.
``make attack`` makes up others, and more of them, for both: ``SCHEMATHESIS_EXAMPLES=500 pytest
tests/apidocs/test_schemathesis.py``.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from app.apidocs import documents
from core import migrations
from core.modules import offers
from services import db
from settings import INSTALLED_APPS
from tests import tokens
from tests.core import warehouse

#: So many requests of each phase are made up for an operation; by default those that are found in a minute.
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "8"))

#: Sources of the generated requests.
SEED = () if "SCHEMATHESIS_EXAMPLES" in os.environ else ("--seed", "1")

#: The 7,000 requests with values at each limit go to the strict engine: they take three quarters of the time.
PHASES = {"sqlite": ("examples", "fuzzing", "stateful"), "postgresql": ("examples", "coverage")}
ALL_PHASES = ("examples", "coverage", "fuzzing", "stateful")

FOLDER = Path(__file__).parent


@pytest.fixture
def sender() -> None:
    """Let no visitor in without a sign-in."""


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_name(request) -> str:
    return request.param


@pytest.fixture
def phases(engine_name) -> tuple[str, ...]:
    """Return the phases of this engine."""
    return PHASES[engine_name] if SEED else ALL_PHASES


@pytest.fixture
def populated(engine_name, make_app, new_database) -> Flask:
    """Return the whole platform with the demo rows, and the module with every type."""
    url = new_database(engine_name)
    migrations.upgrade(url=url)
    patient = {"connect_args": {"timeout": 60}} if engine_name == "sqlite" else {"pool_timeout": 60}
    # On a busy machine writers wait for each other; a 503 would be the machine's.
    settings = {"SQLALCHEMY_ENGINE_OPTIONS": patient, "DATABASE_STATEMENT_SECONDS": 0}
    modules = [*INSTALLED_APPS, warehouse.__name__]
    app = make_app(url, modules, LOG_LEVEL="WARNING", RATE_LIMITS=False, **settings)
    with app.app_context():
        warehouse.Base.metadata.create_all(db.engine)
        with db.engine.begin() as connection:
            connection.execute(sa.insert(warehouse.Maker).values(name="Acme"))
        for _, demo in offers(app, "demo"):
            demo.load()
    return app


def test_schemathesis_finds_nothing(populated, phases, live_server, tmp_path):
    url = f"{live_server(populated)}/openapi.json"
    token = ("--header", f"Authorization: Bearer {tokens.issue(populated)}")
    alone = [phase for phase in phases if phase != "stateful"]

    # Of several workers one fails now and then in Python's own parser: python/cpython#106905.
    attack(url, tmp_path, *token, "--phases", ",".join(alone))
    # Of many operations at once it follows few links.
    for tag in tags_with_links(documents.build(populated)) if "stateful" in phases else ():
        attack(url, tmp_path, *token, "--phases", "stateful", "--include-tag", tag)


def test_every_phase_has_an_engine():
    assert {phase for phases in PHASES.values() for phase in phases} == set(ALL_PHASES)


def attack(url: str, folder: Path, *options: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(FOLDER / "schemathesis.toml")),
            *("run", url, "--checks", "all", "--max-examples", str(EXAMPLES), *SEED, *options),
            *("--continue-on-failure", "--no-shrink", "--no-color"),
            # It shares the machine with the server: an answer may wait for the making up of cases.
            *("--max-response-time", "60", "--request-timeout", "60"),
        ],
        # It leaves notes for its next run.
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(FOLDER), "SCHEMATHESIS_HOOKS": "exemptions"},
        capture_output=True,
        text=True,
        timeout=3600,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout


def tags_with_links(document: documents.Document) -> list[str]:
    """Return the groups of operations whose answers lead to others."""
    found = {
        operation["tags"][0]
        for methods in document["paths"].values()
        for operation in methods.values()
        if any("links" in answer for answer in operation["responses"].values())
    }
    return sorted(found)

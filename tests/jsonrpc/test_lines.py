"""The lines that the page of the methods shows for programs, run as they stand there."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable

import pytest
from flask import Flask

from core.modules import offers
from services import db
from tests import documents
from tests.tokens import issue


@pytest.fixture
def sender() -> None:
    """Let visitors be who they say that they are."""


#: A call that cannot be read, that names no method, that has wrong params, or that is refused.
REFUSED = (-32700, -32600, -32601, -32602, -32006, -32007)


@pytest.mark.usefixtures("curl")
def test_lines_of_page_are_calls(make_app: Callable[..., Flask], live_server: Callable[[Flask], str]) -> None:
    app = make_app(RATE_LIMITS=False)
    with app.app_context():
        for _, file in offers(app, "demo"):
            file.load()
        db.session.commit()
    environ = {**os.environ, "TOKEN": issue(app)}
    with urllib.request.urlopen(f"{live_server(app)}/docs/rpc", timeout=60) as answer:  # noqa: S310 - of this machine
        lines = documents.shown(answer.read().decode())
    answers = {}
    for line in lines:
        ran = subprocess.run(
            ["bash", "-c", f"{line} --silent"], env=environ, capture_output=True, text=True, timeout=60
        )
        answers[line] = json.loads(ran.stdout)

    assert lines
    assert {line: said for line, said in answers.items() if said.get("error", {}).get("code") in REFUSED} == {}

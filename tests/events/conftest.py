import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from core.access import Identity
from tests.identities import editor

#: Gives an event that may be sent: ``make_event(name="click")``.
MakeEvent = Callable[..., dict[str, Any]]


@pytest.fixture
def make_event() -> MakeEvent:
    """Make events as a site sends them; each has an id of its own."""

    def make(**values: Any) -> dict[str, Any]:
        return {"id": str(uuid.uuid4()), "kind": "page", "name": "view", "subject": "/", **values}

    return make


@pytest.fixture
def send_event(client: FlaskClient, make_event: MakeEvent) -> Callable[..., dict[str, Any]]:
    """Send an event to the application of ``client``, and return it."""

    def one(**values: Any) -> dict[str, Any]:
        event = make_event(**values)
        answer = client.post("/events", json=event)
        assert answer.json == {"received": 1, "stored": 1}, answer.text
        return event

    return one


@pytest.fixture
def sender() -> Callable[[], Identity]:
    """Let an identity send the requests that may do everything."""
    return editor

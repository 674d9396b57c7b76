"""The files that take part in one request: what a reader must open to follow it."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from config import ROOT
from core.access import set_identity_loader
from tests.api.conftest import city_maker
from tests.identities import editor
from tests.tokens import authorization
from tests.tokens import issue

CITY = {"name": "Macondo", "country_code": "ES", "latitude": 10.59, "longitude": -74.19, "timezone": "America/Bogota"}

#: Makes what sends one request.
Sender = Callable[[Callable[..., Flask]], Callable[[], TestResponse]]


def send_list(make_app: Callable[..., Flask]) -> Callable[[], TestResponse]:
    app = make_app()
    city_maker(app)()
    client = app.test_client()
    return lambda: client.get("/api/v1/cities")


def send_post(make_app: Callable[..., Flask]) -> Callable[[], TestResponse]:
    app = make_app()
    city_maker(app)
    client, headers = app.test_client(), authorization(issue(app))
    return lambda: client.post("/api/v1/cities", headers=headers, json=CITY)


def send_form(make_app: Callable[..., Flask]) -> Callable[[], TestResponse]:
    app = make_app(WTF_CSRF_ENABLED=False)
    set_identity_loader(app, editor)
    client, number = app.test_client(), itertools.count()
    return lambda: client.post("/example/categories/new", data={"name": f"Category {next(number)}"})


def files_of(send: Callable[[], TestResponse]) -> set[str]:
    """Return the files of the core of which a function runs while a request is answered."""
    found = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        found.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        response = send()
    finally:
        sys.setprofile(None)
    assert response.status_code < 400, response.text
    return {Path(name).relative_to(ROOT).as_posix() for name in found if name.startswith(f"{ROOT}/core/")}


@pytest.mark.parametrize(("make_sender", "most"), [(send_list, 25), (send_post, 35), (send_form, 33)])
def test_core_files_of_request_limited(make_app: Callable[..., Flask], make_sender: Sender, most: int) -> None:
    send = make_sender(make_app)
    # What is done once for each process or application does not count.
    send()
    found = files_of(send)
    assert len(found) <= most, sorted(found)

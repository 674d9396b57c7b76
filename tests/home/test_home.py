"""The start page and the status route."""

import html
import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

import settings


def test_index_shows_what_is_installed(sqlite_client: FlaskClient) -> None:
    answer = sqlite_client.get("/")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert shown(answer.text) == settings.INSTALLED_APPS
    cards = answer.text.partition("Installed modules")[2]
    for url in re.findall(r'<a href="([^"]*)"', cards):
        # A page may send a visitor on, to sign in for example.
        assert sqlite_client.get(html.unescape(url)).status_code < 400


def test_start_page_works_alone(make_app: Callable[..., Flask]) -> None:
    client = make_app(None, ["app.home"]).test_client()
    assert shown(client.get("/").text) == ["app.home"]
    assert client.get("/status").status_code == 201


def shown(page: str) -> list[str]:
    return re.findall(r'class="card-footer[^>]*><code>([^<]*)</code>', page)


def test_index_answers_head(sqlite_client: FlaskClient) -> None:
    answer = sqlite_client.head("/")
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.mimetype == "text/html"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_status_response_unchanged(sqlite_client: FlaskClient, method: str) -> None:
    answer = sqlite_client.open("/status", method=method)
    assert (answer.status_code, answer.mimetype) == (201, "application/json")
    assert set(answer.get_json()) == {"server_status", "description"}
    assert answer.get_json()["server_status"] == "OK"
    assert answer.text.startswith('{\n  "')
    assert answer.text.endswith('"\n}\n')


@pytest.mark.parametrize("body", [b"{", b"\xff\x00", b"x" * 2000])
@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "text/plain"])
def test_status_does_not_mind_a_body(sqlite_client: FlaskClient, body: bytes, content_type: str) -> None:
    assert sqlite_client.post("/status", data=body, content_type=content_type).status_code == 201


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_status_refuses_other_methods(sqlite_client: FlaskClient, method: str) -> None:
    answer = sqlite_client.open("/status", method=method)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_status_needs_no_database(sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.db.session.execute", None)
    assert sqlite_app.test_client().get("/status").status_code == 201

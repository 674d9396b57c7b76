"""Every row that can be created has an address in both faces."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from tests.core import winery
from tests.core.winery import Base
from tests.forms import submit

GRAPES = "/winery/data/grapes"
REFUSED = ["a/b", "/", "new", ".", "..", "a\nb", "\x7f"]
TAKEN = ["a.", "...", "a b ", "%2F", "%", "new ", ":bulk", "a:bulk", "edit", "ü?#;&=+", "\\", "007", "~", "None"]


@pytest.fixture
def app(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Flask:
    app = make_app(database_of(engine_name, Base.metadata), ["app.bulk", winery.__name__])
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def follow(client: FlaskClient, code: str) -> None:
    """Go to the only grape from where both faces show its address."""
    created = client.post(GRAPES, json={"code": code})
    if created.status_code == 422:
        assert [error["field"] for error in created.json["errors"]] == ["code"]
        assert submit(client, "/winery/grapes/new", code=code).status_code == 422
        assert client.get(GRAPES).json["items"] == []
        return
    assert created.status_code == 201
    place = created.headers["Location"]
    assert client.get(place).json == {"code": code}
    page = client.get("/winery/grapes").text
    links = [unescape(link) for link in re.findall(r'href="(/winery/grapes/[^"]*)"', page)]
    details = [link for link in links if link != "/winery/grapes/new"]
    assert details
    for link in details:
        assert client.get(link).status_code == 200, link
    assert client.get(f"{details[0]}/edit").status_code == 200
    assert client.delete(place).status_code == 204


@pytest.mark.parametrize("code", REFUSED)
def test_unaddressable_key_is_refused(client: FlaskClient, code: str) -> None:
    answer = client.post(GRAPES, json={"code": code})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["message"].startswith("No address can name ")
    creation = {"method": "create", "data": {"code": code}}
    answer = client.post(f"{GRAPES}:bulk", json={"operations": [creation]})
    assert [result["status"] for result in answer.json["results"]] == [422]
    assert submit(client, "/winery/grapes/new", code=code).status_code == 422


@pytest.mark.parametrize("code", TAKEN)
def test_odd_key_is_reached(client: FlaskClient, code: str) -> None:
    assert client.post(GRAPES, json={"code": code}).status_code == 201
    answer = client.post(f"{GRAPES}:bulk", json={"operations": [{"method": "delete", "key": code}]})
    assert [result["status"] for result in answer.json["results"]] == [204]
    follow(client, code)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_created_row_has_an_address(client: FlaskClient) -> None:
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.text(max_size=20) | st.text(alphabet="./%\\ new:?#", max_size=5))
    def property_(code: str) -> None:
        follow(client, code)

    property_()


@pytest.mark.parametrize(("kind", "body"), [("harvests", {"at": "2026-01-31T12:00:00.5Z"}), ("casks", {"sort": "RED"})])
def test_key_of_another_type_is_reached(client: FlaskClient, kind: str, body: dict[str, Any]) -> None:
    place = client.post(f"/winery/data/{kind}", json=body).headers["Location"]
    assert client.get(place).status_code == 200
    links = re.findall(rf'href="(/winery/{kind}/[^"]*)"', client.get(f"/winery/{kind}").text)
    assert len(links) > 1
    assert {client.get(unescape(link)).status_code for link in links} == {200}

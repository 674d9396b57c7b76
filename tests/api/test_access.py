"""Access to the places: anyone reads, members keep their own, staff keep all."""

from typing import Any

import pytest
from flask import Flask

from tests.identities import Ask
from tests.identities import ask_with_roles

CITIES = "/api/v1/cities"


@pytest.fixture
def request_as(app: Flask) -> Ask:
    """Ask as a user with a role."""
    return ask_with_roles(app)


@pytest.fixture
def city_url(request_as: Ask, make_country: Any, city_data: dict[str, Any]) -> str:
    """Return the address of a city that a member has made."""
    make_country()
    answer = request_as("member", "POST", CITIES, json=city_data)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def test_visitor_adds_no_city(request_as: Ask, city_data: dict[str, Any]) -> None:
    assert request_as("", "POST", CITIES, json=city_data).status_code == 401


def test_anyone_reads_owners_stay_hidden(request_as: Ask, city_url: str) -> None:
    answer = request_as("", "GET", city_url)
    assert answer.status_code == 200
    assert "owner_key" not in answer.json


def test_history_calls_places_by_their_names(request_as: Ask, city_url: str) -> None:
    page = request_as("administrator", "GET", "/history/changes").text
    assert "Macondo" in page
    assert "&lt;" not in page


@pytest.mark.parametrize(("who", "status"), [("", 401), ("other", 403), ("member", 200), ("staff", 200)])
def test_city_edited_by_owner_and_staff(request_as: Ask, city_url: str, who: str, status: int) -> None:
    answer = request_as(who, "PATCH", city_url, json={"population": 5}, headers={"If-Match": '"1"'})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("who", "status"), [("", 401), ("other", 403), ("member", 204), ("staff", 204)])
def test_city_deleted_by_owner_and_staff(request_as: Ask, city_url: str, who: str, status: int) -> None:
    assert request_as(who, "DELETE", city_url, headers={"If-Match": '"1"'}).status_code == status

"""The page that presents the API: what it says, and what its lines do."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import documents
from tests.api.conftest import CountryFactory
from tests.tokens import issue


@pytest.fixture
def sender() -> None:
    """Let visitors be who they say that they are."""


def test_page_names_whose_data_it_is(sqlite_client: FlaskClient):
    page = sqlite_client.get("/api/").text
    assert 'href="https://www.geonames.org/"' in page
    assert 'href="https://creativecommons.org/licenses/by/4.0/"' in page


def test_page_calls_this_host(sqlite_client: FlaskClient):
    page = sqlite_client.get("/api/", headers={"Host": "places.localhost"}).text
    assert "curl &#39;http://places.localhost/api/v1/cities&#39;" in page or (
        "curl 'http://places.localhost/api/v1/cities'" in page
    )


@pytest.mark.usefixtures("curl")
def test_curl_lines_of_page_work(sqlite_app: Flask, live_server: Callable[[Flask], str], make_sqlite_city) -> None:
    make_sqlite_city(name="São Paulo", search_name="sao paulo", population=12_400_232)
    with sqlite_app.app_context():
        CountryFactory(code="CO")
    environ = {**os.environ, "TOKEN": issue(sqlite_app, "api.city.add", "api.city.edit")}
    lines = documents.shown(_page(live_server(sqlite_app)))
    statuses, answers = [], []
    for line in lines:
        added = next((answer["id"] for answer in answers if answer.get("name") == "Macondo"), "")
        asked = f"{line.replace('/ID', f'/{added}')} --silent --write-out '%{{stderr}}%{{http_code}}'"
        ran = subprocess.run(["bash", "-c", asked], env=environ, capture_output=True, text=True, timeout=60)
        statuses.append(ran.stderr)
        answers.append(json.loads(ran.stdout))

    assert statuses == ["200", "200", "200", "200", "201", "200"], answers
    assert [item["name"] for item in answers[2]["items"]] == ["São Paulo"]
    assert answers[-1]["population"] == 20_000


def _page(base: str) -> str:
    with urllib.request.urlopen(f"{base}/api/", timeout=60) as answer:  # noqa: S310 - of this machine
        return answer.read().decode()

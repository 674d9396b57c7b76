"""The static site on an origin of its own, and the API that it asks, set as in production."""

import functools
from collections.abc import Callable
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler
from http.server import ThreadingHTTPServer
from socketserver import BaseServer
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import ConsoleMessage
from playwright.sync_api import Page

from app.api.models import City
from app.api.models import Country
from app.api.places import fold
from config import ROOT
from services import db
from tests import tokens

SITE = ROOT / "examples" / "decoupled"

#: Name, latitude, longitude, population.
PLACES = (
    ("Sevilla", 37.38283, -5.97317, 686_741),
    ("Dos Hermanas", 37.28287, -5.92088, 122_943),
    ("Camas", 37.40202, -6.03314, 28_620),
    ("La Rinconada", 37.48613, -5.98091, 35_928),
    ("Coria del Río", 37.28766, -6.0541, 30_657),
    ("Madrid", 40.4165, -3.70256, 3_255_944),
)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Leave the test's output alone."""


@pytest.fixture
def serve_site(run_server: Callable[[BaseServer], str]) -> Callable[[], str]:
    """Serve the site; each call gives another origin."""
    handler = functools.partial(Quiet, directory=str(SITE))
    return lambda: run_server(ThreadingHTTPServer(("127.0.0.1", 0), handler))


@pytest.fixture
def origin(serve_site: Callable[[], str]) -> str:
    """Return the origin of the site that the API lets in."""
    return serve_site()


@pytest.fixture
def platform_app(make_app: Callable[..., Flask], origin: str) -> Flask:
    """Return the whole application with some places; only the site may read its APIs."""
    app = make_app(CORS_ORIGINS=[origin])
    with app.app_context():
        spain = {"code": "ES", "iso3": "ESP", "name": "Spain", "continent": "EU"}
        db.session.execute(sa.insert(Country), [{**spain, "population": 48_000_000, "area_km2": 505_990}])
        names = ("name", "latitude", "longitude", "population")
        rest = {"country_code": "ES", "timezone": "Europe/Madrid", "version": 1}
        rows = [dict(zip(names, place, strict=True)) for place in PLACES]
        db.session.execute(sa.insert(City), [{**row, **rest, "search_name": fold(row["name"])} for row in rows])
        db.session.commit()
    return app


@pytest.fixture
def token(platform_app: Flask) -> str:
    """Return the token of a user who may add cities."""
    return tokens.issue(platform_app, "api.city.add")


@pytest.fixture
def count(platform_app: Flask) -> Callable[[str], int]:
    """Count the cities of a name."""

    def ask(name: str) -> int:
        with platform_app.app_context():
            found = db.session.scalar(sa.select(sa.func.count()).select_from(City).where(City.name == name))
            return found or 0

    return ask


@pytest.fixture
def api(platform_app: Flask, live_server: Callable[[Flask], str]) -> str:
    """Return the address of the API."""
    return live_server(platform_app)


@pytest.fixture
def faults() -> list[str]:
    """Return what the browser found wrong in the page; an answer that is an error is no fault here."""
    return []


@pytest.fixture
def tab(browser: Browser, faults: list[str]) -> Iterator[Page]:
    """Return an empty page of the browser."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Europe/Madrid")

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            faults.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    page.close()


@pytest.fixture
def site_page(tab: Page, faults: list[str], origin: str, api: str, token: str) -> Iterator[Page]:
    """Return the site, ready, with a token entered, in a browser that must find nothing wrong in it."""
    tab.goto(f"{origin}/?api={api}")
    tab.get_by_role("heading", name="Around Madrid").wait_for()
    tab.get_by_label("Token").fill(token)
    yield tab
    assert not faults, "\n".join(faults)

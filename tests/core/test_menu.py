"""The navigation bar is what the installed modules offer."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core.modules import ModuleError

PAGES = """
    from flask import Blueprint

    bp = Blueprint({label!r}, __name__, url_prefix="/{label}")
    for path in ("/", "/parts", "/parts/<key>", "/parts-list", "/other"):
        bp.add_url_rule(path, path.strip("/").replace("/<", "_").strip(">") or "index", view)
"""
VIEW = """
    from flask import render_template

    def view(key=None):
        return render_template("base.html")
"""
MENU = """
    from core.pages.menu import Link

    def entries():
        return [Link("All", "{label}.index"), Link("Parts", "{label}.parts"), Link("List", "{label}.parts-list")]
"""


@pytest.fixture
def client(make_app: Callable[..., Flask], write_module: Callable[..., str]) -> FlaskClient:
    """Return a client of two modules with three entries each, and one without a menu."""
    made = [
        write_module(label, init=VIEW + PAGES.format(label=label), menu=MENU.format(label=label))
        for label in ("depot", "yard")
    ]
    quiet = write_module("quiet", init=VIEW + PAGES.format(label="quiet"))
    return make_app(None, [*made, quiet]).test_client()


def entries(page: str) -> list[tuple[str, str, str]]:
    """Return (URL, what it is to the current page, label) of each entry."""
    nav = page.partition('aria-label="Main"')[2].partition("</nav>")[0]
    return re.findall(r'<a href="([^"]*)"(?: aria-current="(\w+)")?>([^<]*)</a>', nav)


def current(page: str) -> dict[str, str]:
    return {url: state for url, state, _ in entries(page) if state}


def test_menu_follows_module_order(client: FlaskClient) -> None:
    found = [(url, label) for url, _, label in entries(client.get("/depot/").text)]
    assert found == [
        ("/depot/", "All"), ("/depot/parts", "Parts"), ("/depot/parts-list", "List"),
        ("/yard/", "All"), ("/yard/parts", "Parts"), ("/yard/parts-list", "List"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/depot/", {"/depot/": "page"}),
        ("/depot/other", {"/depot/": "true"}),
        ("/depot/parts", {"/depot/parts": "page"}),
        ("/depot/parts/7", {"/depot/parts": "true"}),
        ("/depot/parts-list", {"/depot/parts-list": "page"}),
        ("/yard/parts?q=1", {"/yard/parts": "page"}),
        ("/quiet/parts", {}),
        ("/nowhere", {}),
    ],
)
def test_nearest_entry_is_current(client: FlaskClient, path: str, expected: dict[str, str]) -> None:
    assert current(client.get(path).text) == expected


def test_secondary_entries_stand_last(make_app: Callable[..., Flask], write_module: Callable[..., str]) -> None:
    menu = "from core.pages.menu import Link\n\ndef entries():\n    return [Link('{0}', '{0}.index'{1})]\n"
    modules = [
        write_module(label, init=VIEW + PAGES.format(label=label), menu=menu.format(label, more))
        for label, more in (("tool", ", is_secondary=True"), ("goods", ""))
    ]
    app = make_app(None, modules)

    with app.test_request_context("/"):
        assert [entry.label for entry in app.jinja_env.globals["menu"]()] == ["goods", "tool"]


def test_menu_below_a_prefix_keeps_it(client: FlaskClient) -> None:
    page = client.get("/depot/parts", environ_overrides={"SCRIPT_NAME": "/shop"}).text
    assert next(url for url, _, _ in entries(page)) == "/shop/depot/"
    assert current(page) == {"/shop/depot/parts": "page"}


def test_label_is_text(make_app: Callable[..., Flask], write_module: Callable[..., str]) -> None:
    menu = "from core.pages.menu import Link\n\ndef entries():\n    return [Link('<i>A & B', 'odd.index')]\n"
    app = make_app(None, [write_module("odd", init=VIEW + PAGES.format(label="odd"), menu=menu)])
    assert ">&lt;i&gt;A &amp; B</a>" in app.test_client().get("/odd/").text


def test_dead_entry_fails_at_start(make_app: Callable[..., Flask], write_module: Callable[..., str]) -> None:
    init = "from flask import Blueprint\nbp = Blueprint('lost', __name__)\n"
    menu = "from core.pages.menu import Link\n\ndef entries():\n    return [Link('Lost', 'lost.indx')]\n"
    with pytest.raises(ModuleError, match=r"its menu names the endpoint 'lost\.indx'"):
        make_app(None, [write_module("lost", init=init, menu=menu)])


def test_module_template_in_header(
    make_app: Callable[..., Flask], write_module: Callable[..., str], tmp_path: Path
) -> None:
    init = VIEW + PAGES.format(label="depot").replace("__name__,", f"__name__, template_folder={str(tmp_path)!r},")
    tmp_path.joinpath("_clock.html").write_text("<p>It is {{ 6 + 6 }}.</p>")
    client = make_app(None, [write_module("depot", init=init, menu="header = '_clock.html'")]).test_client()
    page = client.get("/depot/").text
    assert "<p>It is 12.</p>" in page.partition("<header")[2].partition("</header>")[0]
    assert "It is 12." in client.get("/nowhere").text
    assert "It is 12." not in client.get("/depot/", headers={"Host": "evil.example.org"}).text

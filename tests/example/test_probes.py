"""Markup that users write stays text, on every page on which it is shown."""

from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

#: How pages are broken out of: of text, of attributes, of comments, of templates; and what takes an address.
PROBES = [
    "<script>probe(1)</script>",
    '"><img src=x onerror=probe(1)>',
    "' autofocus onfocus='probe(1)",
    "</textarea><svg onload=probe(1)>",
    "</title><style>@import probe</style>",
    "--><iframe src=//probe.example>",
    "javascript:probe(1)",
    "{{ 7 * 191 }}{% raw %}",
    "${7*191}#{7*191}",
    "&lt;probe&gt; &#60;b&#62;",
    "%3Cscript%3Eprobe",
    "＜script＞probe \u202e",
]
#: No other element of the pages has these.
KNOWN_SCRIPTS = ("/static/", "/accounts/static/", "/history/static/")


class Dissection(HTMLParser):
    """Effects of a page besides showing text, and the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.links: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("iframe", "object", "embed", "style", "base", "applet"):
            self.faults.append(f"<{tag}>")
        if tag == "script" and not str(values.get("src") or "").startswith(KNOWN_SCRIPTS):
            self.faults.append(f"a script: {attrs}")
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.faults.append(f"{name}= of <{tag}>")
            if name in ("href", "src", "action", "formaction") and not str(value).startswith(
                ("/", "#", "?", "https://")
            ):
                self.faults.append(f"{name}={value!r} of <{tag}>")
        if tag == "a":
            self.links.add(str(values.get("href")).partition("#")[0])
        self.text += f" {values.get('value') or ''} "

    def handle_data(self, data: str) -> None:
        self.text += data


def dissect(page: str) -> Dissection:
    found = Dissection()
    found.feed(page)
    assert not found.faults, found.faults
    assert "1337" not in found.text
    return found


@pytest.mark.parametrize(
    "page", [*PROBES[:2], *PROBES[3:6], f"<b title='{PROBES[2]}'>", f"<a href='{PROBES[6]}'>", "1337"]
)
def test_probe_that_runs_would_be_found(page: str) -> None:
    with pytest.raises(AssertionError):
        dissect(page)


@pytest.fixture
def stored_probes(sqlite_catalogue: Any) -> None:
    """Fill the catalogue with probes, in every text that it has."""
    for number, probe in enumerate(PROBES):
        category = sqlite_catalogue.category(name=probe, description=probe)
        tag = sqlite_catalogue.tag(name=probe[:40])
        sqlite_catalogue.product(name=probe, sku=f"{number}{probe}"[:20], category=category, tags=[tag], notes=probe)


@pytest.mark.usefixtures("stored_probes")
def test_stored_markup_shown_as_text(sqlite_client: FlaskClient) -> None:
    waiting = {"/", "/example/products", "/example/categories", "/example/tags", "/example/products/new"}
    seen: dict[str, str] = {}
    while waiting and len(seen) < 200:
        url = min(waiting)
        waiting.discard(url)
        answer = sqlite_client.get(url)
        seen[url] = answer.text
        if answer.mimetype == "text/html":
            found = dissect(answer.text)
            waiting |= {link for link in found.links if link.startswith("/example/")} - seen.keys()
    shown = dissect("".join(seen.values())).text
    assert not [probe for probe in PROBES if probe not in shown]
    kinds = ("/edit", "/delete", "/new", "/example/categories/", "/example/tags/", "/example/products/")
    assert not [kind for kind in kinds if not any(kind in url for url in seen)]


_TEXT = st.lists(st.sampled_from([*PROBES, *"<>\"'&`=/", "x", "\u2028"]), max_size=4).map("".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/example/products", "/example/tags", "/nowhere", "/example/products/new"]), data=st.data()
)
def test_requested_markup_shown_as_text(sqlite_client: FlaskClient, path: str, data: Any) -> None:
    names = st.one_of(st.sampled_from(["q", "sort", "page", "cursor", "price__gte", "status", "next"]), _TEXT)
    query = data.draw(st.dictionaries(names, _TEXT, max_size=4))
    dissect(sqlite_client.get(path, query_string=query).text)
    dissect(sqlite_client.get(f"{path}/{data.draw(_TEXT)}").text)
    form = data.draw(st.dictionaries(st.sampled_from(["name", "sku", "notes", "price", "version"]), _TEXT, max_size=4))
    dissect(sqlite_client.post("/example/products/new", data=form).text)

"""Read the forms of a page as a browser does, so that a test sends what a browser would send."""

from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

#: Name to value; a list where one name stands several times, or not at all (boxes).
Fields = dict[str, Any]


class _Reader(HTMLParser):
    """Collects what each form with ``method="post"`` would send."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[list[tuple[str, str]]] = []
        self.inside = False
        self.select = ""
        self.chosen: list[str] = []
        self.options: list[str] = []
        self.area: str | None = None
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value if value is not None else "" for name, value in attrs}
        if tag == "main":
            # The header's forms are on every page.
            self.forms.clear()
        elif tag == "form":
            self.inside = found.get("method", "get").lower() == "post"
            if self.inside:
                self.forms.append([])
        elif self.inside and tag == "input":
            self._input(found)
        elif self.inside and tag == "select":
            self.select, self.chosen, self.options = found["name"], [], []
        elif self.inside and tag == "option":
            self.options.append(found["value"])
            if "selected" in found:
                self.chosen.append(found["value"])
        elif self.inside and tag == "textarea":
            self.area, self.text = found["name"], ""

    def _input(self, found: dict[str, str]) -> None:
        boxes = ("checkbox", "radio")
        # A control without a name is not sent.
        if "name" in found and (found.get("type") not in boxes or "checked" in found):
            self.forms[-1].append((found["name"], found.get("value", "on" if found.get("type") in boxes else "")))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif self.inside and tag == "select":
            # Without a choice the browser takes the first.
            self.forms[-1] += [(self.select, value) for value in (self.chosen or self.options)[:1]]
        elif self.area is not None and tag == "textarea":
            # The first line break belongs to the tag; those of the text are sent as CR LF.
            lines = self.text.replace("\r\n", "\n").removeprefix("\n")
            self.forms[-1].append((self.area, lines.replace("\n", "\r\n")))
            self.area = None


def read(html: str) -> Fields:
    """Return what the only form of the page would send, its token among it."""
    reader = _Reader()
    reader.feed(html)
    (pairs,) = reader.forms
    names = dict.fromkeys(name for name, _ in pairs)
    values = {name: [value for other, value in pairs if other == name] for name in names}
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def open_form(client: FlaskClient, url: str) -> Fields:
    """Load a page and read its form."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def submit(client: FlaskClient, url: str, **changes: Any) -> TestResponse:
    """Load a form, fill in some fields (``None`` leaves one out), and send it."""
    fields = {**open_form(client, url), **changes}
    return client.post(url, data={name: value for name, value in fields.items() if value is not None})

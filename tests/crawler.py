"""Crawl a site below a prefix as a browser does, and collect the URLs that leave the prefix. No pytest here."""

import json
import re
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode
from urllib.parse import urljoin
from urllib.parse import urlsplit

from werkzeug.test import Client

from tests.forms import read

#: Attributes that hold a URL.
LINKS = {"href", "src", "action", "formaction", "poster", "data-endpoint", "data-document"}

#: How often a path is asked for with another query.
QUERIES = 2


@dataclass
class Answer:
    """An answer, with the headers that lead somewhere."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def location(self) -> str:
        """The header Location."""
        return self.headers.get("location", "")


#: Sends a request: ``(method, URL without host, fields of a form, further headers)``.
Send = Callable[[str, str, Mapping[str, Any] | None, Mapping[str, str]], Answer]


class Parts(HTMLParser):
    """Collects the URLs of a page, and its forms as (method, action)."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.forms: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.urls += [value for name, value in found.items() if name in LINKS and value]
        if tag == "form":
            self.forms.append((found.get("method", "get").upper(), found.get("action", "")))


class Crawler:
    """A browser on a site below a prefix.

    :param faults: what leads out of the prefix, or to nothing
    """

    def __init__(self, send: Send, prefix: str) -> None:
        self._send, self.prefix = send, prefix
        self.faults: list[str] = []
        self.pages: set[str] = set()
        self.forms: set[tuple[str, str]] = set()

    def ask(
        self, method: str, url: str, fields: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request and note what in its answer leads out of the prefix."""
        answer = self._send(method, url, fields, headers or {})
        for found in led_to(answer):
            self._check(url, found)
        return answer

    def submit(self, url: str, **changes: Any) -> Answer:
        """Load a page, fill in its form, and send it to where it says."""
        page = self.ask("GET", url)
        assert page.status == 200, (url, page.status, page.text)
        parts = Parts()
        parts.feed(page.text[page.text.index("<main") :])
        (action,) = [action for method, action in parts.forms if method == "POST"]
        return self.ask("POST", urljoin(url, action), {**read(page.text), **changes})

    def walk(self, urls: list[str]) -> None:
        """Ask for these and for all that they lead to, and for the address of each form."""
        waiting, asked = deque(f"{self.prefix}{url}" for url in urls), dict[str, int]()
        while waiting:
            url = waiting.popleft()
            path = urlsplit(url).path
            if asked.get(path, 0) >= QUERIES or url in self.pages:
                continue
            asked[path] = asked.get(path, 0) + 1
            self.pages.add(url)
            waiting += self._visit(url)

    def _visit(self, url: str) -> list[str]:
        answer = self.ask("GET", url)
        if answer.status == 404 or answer.status >= 500:
            self.faults.append(f"{url} is {answer.status}")
        if answer.location:
            return [answer.location]
        if "html" not in answer.headers.get("content-type", ""):
            return []
        parts = Parts()
        parts.feed(answer.text)
        for method, action in parts.forms:
            self._try_form(url, method, urljoin(url, action))
        found = [urljoin(url, one) for one in parts.urls]
        return [one.partition("#")[0] for one in found if one.startswith(f"{self.prefix}/")]

    def _try_form(self, page: str, method: str, action: str) -> None:
        """Send a form without its fields: one that reaches a view is refused for its token."""
        if (method, urlsplit(action).path) in self.forms:
            return
        self.forms.add((method, urlsplit(action).path))
        answer = self.ask(method, action, {} if method == "POST" else None)
        if answer.status not in ((400,) if method == "POST" else (200, 400)):
            self.faults.append(f"{page}: the form to {method} {action} gets {answer.status}")

    def _check(self, page: str, url: str) -> None:
        parts = urlsplit(url)
        is_here = parts.scheme in ("", "http", "https") and parts.hostname in (None, "localhost", "127.0.0.1")
        if is_here and url.startswith(("/", "http")) and not f"{parts.path}/".startswith(f"{self.prefix}/"):
            self.faults.append(f"{page} leads to {url}")


def led_to(answer: Answer) -> Iterator[str]:
    """Yield the URLs that an answer has in its headers, its markup or its JSON."""
    yield from filter(None, [answer.location])
    yield from re.findall(r"<([^>]*)>", answer.headers.get("link", ""))
    yield from re.findall(r"(?<![-\w])path=(/[^;,]+)", answer.headers.get("set-cookie", ""), re.IGNORECASE)
    kind = answer.headers.get("content-type", "")
    if "html" in kind:
        parts = Parts()
        parts.feed(answer.text)
        yield from parts.urls
    elif "css" in kind:
        yield from re.findall(r"url\([\"']?(/[^\"')]*)", answer.text)
    elif "json" in kind:
        yield from _in_json(json.loads(answer.text))


def _in_json(value: Any, name: str = "") -> Iterator[str]:
    """Yield what are URLs by the names of their members: links, the type of a problem, servers of OpenAPI."""
    if isinstance(value, dict) and "openapi" in value:
        # Its other paths are below the server's, and those of its examples are made up.
        yield from (server["url"] for server in value["servers"])
        yield from _in_json(value["components"]["responses"])
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _in_json(one, "url" if name == "links" else key)
    elif isinstance(value, list):
        for one in value:
            yield from _in_json(one, name)
    elif isinstance(value, str) and name in ("url", "href", "type", "instance", "location", "next", "prev", "self"):
        yield from [value] if value.startswith(("/", "http")) else []


def sending(application: Any) -> Send:
    """Return what sends the requests of a browser to a WSGI application."""
    client = Client(application)

    def send(method: str, url: str, fields: Mapping[str, Any] | None, headers: Mapping[str, str]) -> Answer:
        answer = client.open(url, method=method, data=fields, headers=dict(headers), buffered=True)
        return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers}, answer.text)

    return send


class Connection:
    """Sends the requests of a browser to a server, and keeps its cookies.

    :param ask: sends one, ``ask(path, headers, method, body)``, as :meth:`tests.nginx.NginxSite.ask`
    :param origin: of the site; a form that is sent by https needs a Referer
    """

    def __init__(self, ask: Callable[..., Any], origin: str) -> None:
        self._ask, self._origin = ask, origin
        self.cookies: dict[str, str] = {}

    def __call__(self, method: str, url: str, fields: Mapping[str, Any] | None, headers: Mapping[str, str]) -> Answer:
        """Send a request."""
        parts = urlsplit(url)
        sent = {"Referer": f"{self._origin}/", **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = b""
        if fields is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(fields, doseq=True).encode()
        answer = self._ask(f"{parts.path}?{parts.query}" if parts.query else parts.path, sent, method, body)
        for cookie in answer.cookies:
            self._keep(cookie)
        return Answer(answer.status, answer.headers, answer.text)

    def _keep(self, cookie: str) -> None:
        for name, morsel in SimpleCookie(cookie).items():
            if morsel["max-age"] == "0" or not morsel.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value

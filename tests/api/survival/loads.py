"""Clients that write and read without a pause, and note the answers. No pytest here."""

import http.client
import itertools
import json
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

#: Longer than any answer may take: what comes later is a hang.
GIVE_UP_SECONDS = 90

CITIES = "/api/v1/cities"

#: Makes a new connection to the server.
Connect = Callable[[], http.client.HTTPConnection]


def by_http(port: int) -> Connect:
    """Return what connects to gunicorn itself."""
    return lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_SECONDS)


def by_https(port: int, certificate: Any) -> Connect:
    """Return what connects to nginx."""
    context = ssl.create_default_context(cafile=certificate)
    return lambda: http.client.HTTPSConnection("localhost", port, timeout=GIVE_UP_SECONDS, context=context)


@dataclass
class Answer:
    """Result of one request.

    :param status: 0 if the connection broke
    :param name: of the city that it was about
    :param key: its ``Idempotency-Key``
    :param began: when it was sent, of :func:`time.monotonic`
    """

    method: str
    status: int
    headers: dict[str, str]
    body: bytes
    began: float
    ended: float
    name: str = ""
    key: str | None = None

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Sends requests one after the other, on a connection that is kept while it holds."""

    def __init__(self, connect: Connect, headers: dict[str, str]) -> None:
        self._connect = connect
        self._headers = headers
        self._connection: http.client.HTTPConnection | None = None

    def send(self, method: str, path: str, data: Any = None, **headers: str) -> Answer:
        """Send a request; a connection that breaks is an answer as well: nothing is sent twice."""
        began = time.monotonic()
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        try:
            if self._connection is None:
                self._connection = self._connect()
            body = None if data is None else json.dumps(data)
            sent = {"Content-Type": "application/json", **self._headers, **named}
            self._connection.request(method, path, body, sent)
            response = self._connection.getresponse()
            read = response.read()
            found = {name.lower(): text for name, text in response.getheaders()}
            if response.will_close:
                self.close()
            return Answer(method, response.status, found, read, began, time.monotonic())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(method, 0, {}, repr(error).encode(), began, time.monotonic())

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class Load:
    """Several clients at once: some create cities, with keys and without, some change one of their own, some read."""

    def __init__(self, connect: Connect, headers: dict[str, str], threads: int = 6) -> None:
        self.answers: list[Answer] = []
        #: Name of a city to the population that was acknowledged last, and the one that may have come after it.
        self.populations: dict[str, tuple[int, int | None]] = {}
        self._new_client = lambda: Client(connect, headers)
        self._ends = threading.Event()
        works = [self._create, self._change, self._read]
        targets = itertools.islice(itertools.cycle(works), threads)
        self._threads = [threading.Thread(target=self._run, args=(target,), daemon=True) for target in targets]

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Send requests until the end of the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._ends.set()
            for thread in self._threads:
                thread.join(2 * GIVE_UP_SECONDS)

    def wait(self, count: int, since: float = 0.0, seconds: float = 180.0) -> None:
        """Wait until so many requests that began after a moment have succeeded."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if sum(answer.is_success and answer.began >= since for answer in list(self.answers)) >= count:
                return
            time.sleep(0.02)
        raise AssertionError(f"{count} requests have not succeeded within {seconds:g} seconds")

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if not answer.is_success]

    @property
    def creates(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.method == "POST"]

    def _run(self, work: Callable[[Client], Iterator[Answer]]) -> None:
        client = self._new_client()
        answers = work(client)
        while not self._ends.is_set():
            answer = next(answers)
            self.answers.append(answer)
            if not answer.is_success:
                time.sleep(0.05)
        client.close()

    def _create(self, client: Client) -> Iterator[Answer]:
        for number in itertools.count():
            key = str(uuid.uuid4()) if number % 2 else None
            yield create(client, f"city {uuid.uuid4()}", key)

    def _change(self, client: Client) -> Iterator[Answer]:
        name = f"changed {uuid.uuid4()}"
        made = create(client, name)
        yield made
        while not made.is_success:
            # It may be there: the one that counts has another name.
            name = f"changed {uuid.uuid4()}"
            made = create(client, name)
            yield made
        path, tag, sent = f"{CITIES}/{made.json()['id']}", made.headers["etag"], 0
        self.populations[name] = (sent, None)
        while True:
            self.populations[name] = (sent, sent + 1)
            answer = client.send("PATCH", path, {"population": sent + 1}, If_Match=tag)
            answer.name = name
            yield answer
            if not answer.is_success:
                # A read shows whether it took effect; If-Match makes that safe.
                answer = client.send("GET", path)
                yield answer
            if answer.is_success:
                sent, tag = answer.json()["population"], answer.headers["etag"]
                # An abandoned request may still take effect, by a database that continues where it was stopped.
                self.populations[name] = (sent, None if answer.method == "PATCH" else sent + 1)

    def _read(self, client: Client) -> Iterator[Answer]:
        while True:
            yield client.send("GET", f"{CITIES}?limit=20")


def create(client: Client, name: str, key: str | None = None) -> Answer:
    """Create a city; the answer knows its name and key."""
    city = {"name": name, "country_code": "ES", "latitude": 40.4, "longitude": -3.7, "timezone": "Europe/Madrid"}
    answer = client.send("POST", CITIES, city, **({"Idempotency_Key": key} if key else {}))
    answer.name, answer.key = name, key
    return answer

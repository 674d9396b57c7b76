"""Visitors who do not go away: a load, and every answer that was none. No pytest here."""

import http.client
import json
import ssl
import sys
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

HOST = "www.example.org"
PAGES = ("/", "/example/products", "/api/v1/cities?limit=5", "/docs")
EVENTS = "/events"


class LoadClient(threading.Thread):
    """Reads pages, or sends events, one after the other, at most twenty a second.

    Each has an address of its own (127.0.0.<number>), so that limits count each alone.

    :param connects: each request has a new connection
    """

    def __init__(self, number: int, *, writes: bool, connects: bool, certificate: str) -> None:
        super().__init__(daemon=True)
        self.address = f"127.0.0.{number}"
        self.writes = writes
        self.connects = connects
        self.context = ssl.create_default_context(cafile=certificate)
        self.answers: Counter[str] = Counter()
        self.faults: list[str] = []
        self.stored: list[str] = []
        self.slowest = 0.0
        self.goes_on = True

    def run(self) -> None:
        connection = self._connection()
        count = 0
        while self.goes_on:
            count += 1
            began = time.monotonic()
            try:
                self._ask(connection, PAGES[count % len(PAGES)])
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(f"{time.strftime('%X')} {error!r}")
                connection.close()
            if self.connects:
                connection.close()
            taken = time.monotonic() - began
            self.slowest = max(self.slowest, taken)
            time.sleep(max(0.0, 0.05 - taken))
        connection.close()

    def _connection(self) -> http.client.HTTPSConnection:
        # The server is asked by its name, and found at this machine's own address, as by /etc/hosts.
        connection = http.client.HTTPSConnection(
            HOST, 443, timeout=60, source_address=(self.address, 0), context=self.context
        )
        return connection

    def _ask(self, connection: http.client.HTTPSConnection, path: str) -> None:
        if self.writes:
            event = {"id": str(uuid.uuid4()), "kind": "page", "name": "view", "subject": "/", "visitor": "load"}
            headers = {"Content-Type": "application/json"}
            connection.request("POST", EVENTS, json.dumps(event), headers)
        else:
            connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        self.answers[str(answer.status)] += 1
        if answer.status not in (200, 201):
            self.faults.append(f"{time.strftime('%X')} {answer.status} {path} {body[:200]!r}")
        elif self.writes:
            self.stored.append(event["id"])


def visit(certificate: str, until: Path) -> dict[str, Any]:
    """Send a load until a file is there; print the result.

    :return: answers by their status, what failed, the ids that were stored, and the longest wait in seconds
    """
    visitors = [
        LoadClient(number, writes=number % 2 == 0, connects=number > 4, certificate=certificate)
        for number in range(2, 8)
    ]
    for visitor in visitors:
        visitor.start()
    while not until.exists():
        time.sleep(0.1)
    for visitor in visitors:
        visitor.goes_on = False
        visitor.join()
    answers: Counter[str] = sum((visitor.answers for visitor in visitors), Counter())
    return {
        "answers": dict(answers),
        "faults": [fault for visitor in visitors for fault in visitor.faults],
        "stored": [event for visitor in visitors for event in visitor.stored],
        "slowest": max(visitor.slowest for visitor in visitors),
    }


if __name__ == "__main__":
    json.dump(visit(sys.argv[1], Path(sys.argv[2])), sys.stdout)

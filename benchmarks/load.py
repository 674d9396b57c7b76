"""Send requests for some seconds and count the answers: with wrk where it is installed, else from here.

Both keep two connections busy, so that the server never waits for its client. The worker measured closes
a connection after each answer; the client here relies on that and reads until the end.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

CONNECTIONS = 2
SCRIPT = Path(__file__).with_name("load.lua")


class Failed(Exception):
    """Not every request was answered as it should be."""


@dataclass(frozen=True)
class Load:
    """Response of a server.

    :param seconds: how long it took
    """

    answers: int
    seconds: float


def make_request(method: str, url: str, body: bytes = b"") -> bytes:
    """Write one request as it goes over the wire."""
    head = f"{method} {url} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def send(
    port: int, requests: Sequence[bytes], seconds: float, core: int | None, connections: int = CONNECTIONS
) -> Load:
    """Send the requests in turn, over and over, for about so many seconds.

    :param core: what the client may run on; ``None`` for any
    :param connections: how many are kept busy
    :raises Failed: if an answer was an error, or none came
    """
    return (_wrk if shutil.which("wrk") else _threads)(port, requests, seconds, core, connections)


def name() -> str:
    """Name the client that :func:`send` uses."""
    return "wrk" if shutil.which("wrk") else "threads of Python"


def _wrk(port: int, requests: Sequence[bytes], seconds: float, core: int | None, connections: int) -> Load:
    # It counts in whole seconds.
    duration = f"{max(1, round(seconds))}s"
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\0".join(requests))
        file.flush()
        options = ["-t1", f"-c{connections}", f"-d{duration}", "-s", str(SCRIPT)]
        # wrk has no option for the core: a child inherits that of the thread that starts it.
        own = os.sched_getaffinity(0)
        os.sched_setaffinity(0, own if core is None else {core})
        try:
            ran = subprocess.run(
                ["wrk", *options, f"http://127.0.0.1:{port}"],
                env={**os.environ, "REQUESTS": file.name},
                capture_output=True,
                text=True,
            )
        finally:
            os.sched_setaffinity(0, own)
    if ran.returncode:
        raise Failed(f"wrk: {ran.stderr or ran.stdout}")
    answers, microseconds, errors, broken = map(int, ran.stdout.split("\n")[-2].split())
    if errors or broken or not answers:
        raise Failed(f"{errors} of {answers} answers were errors, {broken} connections broke")
    return Load(answers, microseconds / 1_000_000)


def _threads(port: int, requests: Sequence[bytes], seconds: float, core: int | None, connections: int) -> Load:
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, own if core is None else {core})
    begin = time.monotonic()
    try:
        with ThreadPoolExecutor(connections) as pool:
            # Each begins elsewhere, so that no two ask for the same at once.
            starts = [len(requests) * number // connections for number in range(connections)]
            turns = [cycle([*requests[start:], *requests[:start]]) for start in starts]
            counts = pool.map(lambda turn: _ask(port, turn, begin + seconds), turns)
            return Load(sum(counts), time.monotonic() - begin)
    finally:
        os.sched_setaffinity(0, own)


def _ask(port: int, turn: "cycle[bytes]", end: float) -> int:
    answers = 0
    while time.monotonic() < end:
        request = next(turn)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda connection=connection: connection.recv(65536), b""))
        if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
            raise Failed(f"{request[:100]!r} was answered {answer[:300]!r}")
        answers += 1
    return answers

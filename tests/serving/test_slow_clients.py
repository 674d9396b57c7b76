"""Clients that send half of a request, or read no answer: they hold no thread, and come to an end."""

import contextlib
import json
import shutil
import socket
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from core.serving.arrivals import MOST_BYTES
from core.serving.arrivals import Arrival
from tests.processes import GUNICORN
from tests.processes import ServerProcess
from tests.processes import until
from tests.serving.counter import TARGET

Launch = Callable[..., ServerProcess]

HEAD = (
    b"POST /counter/body HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
)

#: Halves of a request, by what is missing.
HALVES = {
    "nothing sent": b"",
    "request line": b"GET /counter/wh",
    "head": b"GET /counter/who HTTP/1.1\r\nHost: localhost\r\n",
    "empty line": b"\r\n",
    "body": HEAD + b"Content-Length: 100\r\n\r\nhalf",
    "no body": HEAD + b"Content-Length: 100\r\n\r\n",
    "body for no view": HEAD.replace(b"/counter/body", b"/nothing") + b"Content-Length: 100\r\n\r\nhalf",
    "chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n64\r\nhalf",
    "end of a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n",
    "last chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "trailers": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX-Sum: 1\r\n",
    "length with zeros": HEAD + b"Content-Length: 0000000000000000100\r\n\r\nhalf",
    "length of many digits": HEAD + b"Content-Length: 9999999999999999999\r\n\r\nhalf",
    "chunk with zeros": HEAD + b"Transfer-Encoding: chunked\r\n\r\n00000000000000000064\r\nhalf",
    "last chunk with zeros": HEAD + b"Transfer-Encoding: chunked\r\n\r\n00000000000000000000\r\n",
    "expected to go on": HEAD + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, ServerProcess]]:
    """Keep the servers of this file until its end."""
    started: dict[str, ServerProcess] = {}
    yield started
    for server in started.values():
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def launch(environ: dict[str, str], servers: dict[str, ServerProcess]) -> Launch:
    """Start gunicorn, once for each of its settings: clients that are slow leave it as it was."""

    def start(*arguments: str, **changes: str) -> ServerProcess:
        key = repr((arguments, sorted(changes.items())))
        if key not in servers:
            servers[key] = ServerProcess(
                [*GUNICORN, *arguments], {**environ, **changes}, target=TARGET, asks="/counter/who"
            )
        return servers[key]

    return start


@contextlib.contextmanager
def connected(server: ServerProcess, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))
            connection.sendall(sent)
            found.append(connection)
        yield found


def answer(connection: socket.socket) -> bytes:
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


# --- who holds no thread ------------------------------------------------------------------------


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_half_requests_hold_no_thread(launch: Launch, half: bytes) -> None:
    # No time is up before the test is over.
    server = launch(WEB_CONCURRENCY="1", WEB_THREADS="2", WEB_REQUEST_SECONDS="3600")
    with connected(server, 12, half), contextlib.closing(server.connection()) as other:
        for _ in range(5):
            other.request("POST", "/counter/body", b"whole")
            assert json.loads(other.getresponse().read()) == {"length": 5}


def test_silent_reader_is_let_go(launch: Launch) -> None:
    server = launch(WEB_CONCURRENCY="1", WEB_THREADS="2", WEB_REQUEST_SECONDS="1")
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(socket.socket())
            # So little is taken that the answer does not fit between the two.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(b"GET /counter/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert server.ask("/counter/who")[0] == 200
        until(lambda: server.log().count("An answer was not taken in time") == 2, "two connections closed")


def test_stopped_large_body_is_dropped(launch: Launch) -> None:
    server = launch(WEB_CONCURRENCY="1", WEB_THREADS="2", WEB_REQUEST_SECONDS="1", MAX_BODY_BYTES="100000000")
    head = HEAD + b"Content-Length: 90000000\r\n\r\n"
    with connected(server, 2, head + b"x" * (MOST_BYTES + 1000)) as connections:
        assert server.ask("/counter/who")[0] == 200
        assert [answer(one).split()[1] for one in connections] == [b"408", b"408"]


# --- whose time is up ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/half", "/counter/body"])
@pytest.mark.parametrize("rest", [b"Content-Length: 100\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n64\r\nhalf"])
def test_half_body_gets_a_problem(launch: Launch, path: str, rest: bytes) -> None:
    server = launch(WEB_REQUEST_SECONDS="1")
    with connected(server, 1, HEAD.replace(b"/counter/body", path.encode()) + rest) as (connection,):
        head, _, body = answer(connection).partition(b"\r\n\r\n")
    if path == "/half":
        assert head.split()[1] == b"404"
    else:
        assert head.split()[1] == b"408"
        assert json.loads(body)["type"] == "/problems/request-timeout"
    assert b"\r\nConnection: close\r\n" in head


def test_half_body_gets_a_page(launch: Launch) -> None:
    server = launch(WEB_REQUEST_SECONDS="1")
    half = (
        b"POST /counter/page HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nContent-Length: 100\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname="
    )
    with connected(server, 1, half) as (connection,):
        found = answer(connection)
    assert found.split()[1] == b"408"
    assert b"The request did not arrive in time" in found
    assert b"</html>" in found


def test_half_head_is_answered_and_closed(launch: Launch) -> None:
    server = launch(WEB_REQUEST_SECONDS="1")
    with connected(server, 1, HALVES["head"]) as (connection,):
        assert answer(connection).startswith(b"HTTP/1.1 408 ")
    with connected(server, 1, b"") as (connection,):
        assert answer(connection) == b""


def test_dripping_client_comes_to_an_end(launch: Launch) -> None:
    server = launch(WEB_REQUEST_SECONDS="1")
    found = b""
    with connected(server, 1, HEAD + b"Content-Length: 1000\r\n\r\n") as (connection,):
        connection.settimeout(0.05)
        while not found:
            connection.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                found = connection.recv(1000)
    assert found.split()[1] == b"408"


def test_kept_connection_has_its_time_again(launch: Launch) -> None:
    server = launch(WEB_REQUEST_SECONDS="1")
    whole = HEAD + b"Content-Length: 5\r\n\r\nwhole"
    with connected(server, 1, whole + whole + HALVES["body"]) as (connection,):
        found = answer(connection)
    assert [part.split()[0] for part in found.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"408"]


def test_full_worker_makes_room(launch: Launch) -> None:
    server = launch("--worker-connections", "40", WEB_CONCURRENCY="1", WEB_REQUEST_SECONDS="3600")
    with connected(server, 60, HALVES["head"]):
        assert server.ask("/counter/who")[0] == 200


# --- who is served as before --------------------------------------------------------------------


def test_body_in_pieces_is_whole(launch: Launch) -> None:
    server = launch()
    body = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5;x=1\r\nde\r\nf\r\n0\r\nX-Sum: 1\r\n\r\n"
    with connected(server, 1, b"") as (connection,):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in HEAD + b"Connection: close\r\n" + body:
            connection.sendall(bytes([byte]))
        assert answer(connection).endswith(b'{"length":8}')


@pytest.mark.parametrize("size", [MOST_BYTES - 1, MOST_BYTES, 20_000_000])
def test_large_body_is_read(launch: Launch, size: int) -> None:
    server = launch(MAX_BODY_BYTES="30000000")
    with contextlib.closing(server.connection()) as connection:
        for chunked in (False, True):
            pieces = [b"x" * 100_000] * (size // 100_000) + [b"x" * (size % 100_000)]
            body = b"".join(pieces) if not chunked else iter([piece for piece in pieces if piece])
            connection.request("POST", "/counter/body", body, encode_chunked=chunked)
            assert json.loads(connection.getresponse().read()) == {"length": size}


def test_large_answer_is_read_slowly(launch: Launch) -> None:
    server = launch(WEB_REQUEST_SECONDS="60")
    with contextlib.closing(server.connection()) as connection:
        connection.request("GET", "/counter/large")
        answer = connection.getresponse()
        assert sum(len(piece) for piece in iter(lambda: answer.read(100_000), b"")) == 30_000_000


def test_waiting_client_gets_100_continue(launch: Launch) -> None:
    server = launch()
    with connected(server, 1, HALVES["expected to go on"].replace(b"100\r\n\r\n", b"5\r\n\r\n")) as (connection,):
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(b"whole")
        connection.shutdown(socket.SHUT_WR)
        assert b'{"length":5}' in answer(connection)


def test_idle_clients_keep_loop_running(launch: Launch) -> None:
    server = launch(WEB_CONCURRENCY="1")
    asked = b"GET /counter/who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connected(server, 30, asked) as connections:
        for connection in connections:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        # Each was waited for up to two seconds by the loop that accepts.
        with contextlib.closing(server.connection()) as other:
            other.request("GET", "/counter/who")
            assert other.getresponse().status == 200


# --- how much of a request is there -------------------------------------------------------------


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_half_is_not_whole(half: bytes) -> None:
    whole = Arrival(20)
    for byte in half:
        whole.data.append(byte)
        assert not whole.is_whole
    assert not Arrival(20, half).is_whole


@pytest.mark.parametrize(
    "rest",
    [
        b"\r\n",
        b"Content-Length: 3\r\n\r\nabc",
        b"content-LENGTH:3\r\n\r\nabcGET / HTTP/1.1\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 9999\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2 ; a=b\r\nab\r\n0\r\nX: 1\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"Content-Length: 2000000\r\n\r\n" + b"x" * MOST_BYTES,
    ],
)
def test_whole_is_for_a_thread(rest: bytes) -> None:
    assert Arrival(20, HEAD + rest).is_whole


def test_empty_lines_are_for_a_thread() -> None:
    # gunicorn takes one before a request, and refuses more.
    assert Arrival(20, b"\r\n\r\n\r\n").is_whole


@pytest.mark.parametrize(("version", "waits"), [(b"1.1", True), (b"1.0", False)])
def test_only_new_clients_expect_continue(version: bytes, waits: bool) -> None:
    head = HEAD.replace(b"HTTP/1.1", b"HTTP/" + version) + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"
    arrival = Arrival(20, head)
    assert not arrival.is_whole
    assert arrival.expects_continue is waits

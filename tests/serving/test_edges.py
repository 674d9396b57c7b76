"""Edges of the servers: sockets, proxies, bodies and logs, alike under gunicorn and Granian."""

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.load import HttpLoad
from tests.processes import GUNICORN
from tests.processes import ROOT
from tests.processes import ServerProcess
from tests.processes import until
from tests.serving.counter import TARGET

Launch = Callable[..., ServerProcess]

#: Headers by which a client that reaches the server itself claims to be a proxy.
SPOOFS = (
    *("X-Forwarded-For: 192.0.2.66", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example"),
    *("X-Forwarded-Port: 666", "X-Forwarded-Prefix: /evil", "Forwarded: for=192.0.2.66;proto=https;host=evil.example"),
    *(
        "X-Forwarded-Ssl: on",
        "X-Forwarded-Protocol: ssl",
        "SCRIPT_NAME: /evil",
        "PATH_INFO: /evil",
        "Script-Name: /evil",
    ),
    *("X_Forwarded_For: 192.0.2.66", "X_Forwarded_Proto: https", "REMOTE_USER: root", "REMOTE_ADDR: 192.0.2.66"),
    *("Remote-Addr: 192.0.2.66", "X-Real-IP: 192.0.2.66", "HTTPS: on", "wsgi.url_scheme: https"),
)

RESPONSES = "tests.core.responses"


def echo(server: ServerProcess, *lines: str) -> dict[str, object]:
    head = "".join(f"{line}\r\n" for line in ("GET /responses/echo HTTP/1.1", "Host: localhost", *lines))
    found = server.say(f"{head}Connection: close\r\n\r\n".encode())
    first, _, body = found.partition(b"\r\n\r\n")
    assert b" 200 " in first.partition(b"\r\n")[0], found
    answer: dict[str, object] = json.loads(body)
    return answer


@pytest.fixture(params=["gunicorn", "granian"])
def launch_pages(request: pytest.FixtureRequest, launch: Launch, launch_granian: Launch) -> Launch:
    """Serve the module of the headers' tests by either server."""
    if request.param == "granian":
        target = ("--factory", f"{RESPONSES}:make")
        return lambda **variables: launch_granian(target=target, asks="/responses/echo", **variables)
    return lambda **variables: launch(target=(f"{RESPONSES}:make()",), asks="/responses/echo", **variables)


@pytest.mark.parametrize(
    "variables",
    [{}, {"PROXY_HOPS": "1", "FORWARDED_ALLOW_IPS": "192.0.2.0/24"}],
    ids=["no proxy", "a proxy elsewhere"],
)
def test_client_cannot_speak_for_proxy(launch_pages: Launch, variables: dict[str, str]) -> None:
    server = launch_pages(**variables)
    plain = echo(server)
    assert (plain["caller"], plain["secure"], plain["root"]) == ("127.0.0.1", False, "")
    for spoof in SPOOFS:
        assert echo(server, spoof) == plain, spoof


def test_proxy_on_this_machine_is_believed(launch_pages: Launch) -> None:
    found = echo(launch_pages(PROXY_HOPS="1"), "X-Forwarded-For: 192.0.2.66, 192.0.2.1", "X-Forwarded-Proto: https")
    assert (found["caller"], found["secure"]) == ("192.0.2.1", True)


def test_underscore_header_does_not_impersonate(launch: Launch) -> None:
    """Granian takes both for the same, so that it wants a proxy which drops such names, as nginx does."""
    server = launch(target=(f"{RESPONSES}:make()",), asks="/responses/echo", PROXY_HOPS="1")
    found = echo(server, "X-Forwarded-For: 192.0.2.1", "X_Forwarded_For: 192.0.2.66", "X_Forwarded_Proto: https")
    assert (found["caller"], found["secure"]) == ("192.0.2.1", False)


@pytest.mark.parametrize("kind", ["gunicorn", "granian"])
def test_unix_socket_for_owner_and_group(launch: Launch, launch_granian: Launch, kind: str) -> None:
    if kind == "granian":
        server = launch_granian(at=("--uds", "{path}", "--uds-permissions", "0o660"))
    else:
        server = launch(at=("--bind", "unix:{path}"))
    assert stat.S_IMODE(server.path.stat().st_mode) & 0o007 == 0
    with HttpLoad(server.connection) as crowd:
        crowd.answered(100)
    assert crowd.faults == []


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 50\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
    ids=["half", "no chunk", "two lengths"],
)
@pytest.mark.parametrize("kind", ["gunicorn", "granian"])
def test_broken_body_is_refused(launch: Launch, launch_granian: Launch, kind: str, rest: bytes) -> None:
    server = (launch_granian if kind == "granian" else launch)()
    with socket.create_connection(("127.0.0.1", server.port), 60) as connection:
        connection.sendall(b"POST /counter/body HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + rest)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000).split()[1] in (b"400", b"411")


@pytest.mark.parametrize("kind", ["gunicorn", "granian"])
def test_stop_answers_what_is_in_flight(launch: Launch, launch_granian: Launch, kind: str) -> None:
    server = (launch_granian if kind == "granian" else launch)()
    answers: list[int] = []
    asking = [
        threading.Thread(target=lambda: answers.append(server.ask("/counter/slow?seconds=3")[0])) for _ in range(4)
    ]
    for thread in asking:
        thread.start()
    until(lambda: _established(server.port) >= 4, "four connections")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    for thread in asking:
        thread.join()
    assert answers == [200] * 4


def _established(port: int) -> int:
    """Count the requests that a server has been sent."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01" for line in lines)


#: Starts a program as systemd starts a unit with a socket.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_connections_wait_in_systemd_socket(environ: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener, open(tmp_path / "log", "wb") as log:
        port = listener.getsockname()[1]
        command = [sys.executable, "-c", ACTIVATE, str(listener.fileno()), *GUNICORN, *TARGET]
        # A port is taken that no client is to see: the socket wins.
        given = {"PATH": "/usr/bin:/bin", **environ, "PORT": "1"}

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(command, cwd=ROOT, env=given, pass_fds=[listener.fileno()], stdout=log, stderr=log)

        running = start()
        try:
            with HttpLoad(lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as crowd:
                for _ in range(2):
                    running.terminate()
                    assert running.wait(60) == 0
                    running = start()
                    crowd.answered(100)
        finally:
            running.terminate()
            running.wait(60)
    assert crowd.faults == []
    assert len(crowd.workers) >= 3


def test_upgrade_keeps_systemd_socket(environ: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener, open(tmp_path / "log", "wb") as log:
        port = listener.getsockname()[1]
        command = [sys.executable, "-c", ACTIVATE, str(listener.fileno()), *GUNICORN, *TARGET]
        given = {"PATH": "/usr/bin:/bin", **environ}
        running = subprocess.Popen(
            command, cwd=ROOT, env=given, pass_fds=[listener.fileno()], stdout=log, stderr=log, start_new_session=True
        )
        try:
            with HttpLoad(lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as crowd:
                old = set(crowd.workers)
                running.send_signal(signal.SIGUSR2)
                assert running.wait(60) == 0
                crowd.answered(200)
        finally:
            # The session outlives its first process.
            os.killpg(running.pid, signal.SIGKILL)
    assert crowd.faults == []
    assert set(crowd.workers) - old


def test_log_of_requests_has_no_secrets(launch: Launch) -> None:
    server = launch(ACCESS_LOG="true", LOG_FORMAT="json")
    server.ask("/counter/link/5uper5ecret?token=5uper5ecret&q=5uper5ecret", {"X-Request-ID": "request-0001"})
    server.ask("/counter/%1b%0a%C3%BC")
    until(lambda: server.log().count("gunicorn.access") >= 3, "three lines")
    server.kill()
    lines = [json.loads(line) for line in server.log().splitlines()]
    found = {line["path"]: line for line in lines if line["logger"] == "gunicorn.access"}
    line = found["/counter/link/[filtered]"]
    assert (line["method"], line["status"], line["request_id"]) == ("GET", 200, "request-0001")
    assert 0 < line["microseconds"] < 60_000_000
    assert found["/counter/\x1b\nü"]["status"] == 404
    assert "5uper5ecret" not in server.log()
    assert {"gunicorn.error"} <= {line["logger"] for line in lines}


def test_log_of_requests_is_off(launch: Launch) -> None:
    server = launch()
    server.ask("/counter/who")
    server.kill()
    assert "gunicorn.access" not in server.log()

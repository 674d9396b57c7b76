"""gunicorn and Granian on the same application: what they cost, and what they do when they are disturbed."""

import contextlib
import os
import re
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

from tests.load import HttpLoad
from tests.processes import GRANIAN
from tests.processes import GUNICORN
from tests.processes import ServerProcess
from tests.processes import until

from . import load
from .cases import CITIES
from .servers import ROOT

WORKERS = 2
THREADS = 4
STARTS = 5
SLOW = 40
#: Longest wait of a client, in seconds.
PATIENCE = 10

DOCUMENT = ROOT / "docs" / "performance.md"
FACTORY = "benchmarks.application:make"
_TICKS = os.sysconf("SC_CLK_TCK")

_UNPRELOADED = """
exec(compile(open("gunicorn.conf.py").read(), "gunicorn.conf.py", "exec"))
preload_app = False
del when_ready
"""


@dataclass(frozen=True)
class Kind:
    """One way to serve.

    :param at: its options for listening, by TCP and by a unix socket
    """

    name: str
    command: Sequence[str]
    at: tuple[Sequence[str], Sequence[str]]
    target: Sequence[str]

    def launch(self, environ: Mapping[str, str], *more: str, unix: bool = False) -> ServerProcess:
        """Start it, and wait until all workers run."""
        server = ServerProcess(
            [*self.command, *more], environ, at=self.at[unix], target=self.target, asks="/counter/who"
        )
        server.all_workers(WORKERS)
        return server


_BIND = (("--bind", "127.0.0.1:{port}"), ("--bind", "unix:{path}"))
GUNICORNS = Kind("gunicorn", GUNICORN, _BIND, (f"{FACTORY}()",))
GRANIANS = Kind(
    "Granian",
    [
        *(*GRANIAN, "--workers", str(WORKERS), "--blocking-threads", str(THREADS)),
        *("--respawn-failed-workers", "--workers-kill-timeout", "30", "--log-level", "warning"),
    ],
    (("--port", "{port}"), ("--uds", "{path}")),
    ("--factory", FACTORY),
)


def measure(environ: Mapping[str, str], rounds: int, seconds: int) -> str:
    """Return the tables: of what each costs, and of what each does."""
    environ = {**environ, "WEB_CONCURRENCY": str(WORKERS), "WEB_THREADS": str(THREADS), "TRUSTED_HOSTS": ""}
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder, "code")
        code.write_text("old")
        environ["COUNTER_CODE"] = str(code)
        plain = Path(folder, "plain.conf.py")
        plain.write_text(_UNPRELOADED)
        unpreloaded = replace(GUNICORNS, name="gunicorn, not preloaded", command=[*GUNICORN, "--config", str(plain)])
        costs = table_of_costs(environ, rounds, seconds)
        starts = table_of_starts((GUNICORNS, unpreloaded, GRANIANS), environ)
        return "\n\n".join([costs, starts, table_of_faults(environ, code)])


def write(tables: str) -> None:
    """Put the tables into docs/performance.md, between the marks."""
    marks = re.compile(r"(<!-- servers -->\n).*?(<!-- /servers -->)", re.S)
    DOCUMENT.write_text(marks.sub(lambda found: f"{found[1]}{tables}\n{found[2]}", DOCUMENT.read_text()))


# --- what a request costs -----------------------------------------------------------------------


def table_of_costs(environ: Mapping[str, str], rounds: int, seconds: int) -> str:
    """Ask both in turn, on one core, each request on a connection of its own as nginx does by default."""
    cases = {
        "`/status`": ("/status", load.CONNECTIONS),
        "50 places": (f"{CITIES}?limit=50", load.CONNECTIONS),
        "one place": (f"{CITIES}/2950159", load.CONNECTIONS),
        "20 ms of waiting for the database, 16 at once": ("/counter/wait", 16),
    }
    kinds = (GUNICORNS, GRANIANS)
    samples: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with running(kinds, environ) as (servers, client_core):
        for number in range(rounds + 1):
            for name, (path, connections) in cases.items():
                request = load.make_request("GET", path).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
                for kind, server in zip(kinds, servers, strict=True):
                    before = cpu_seconds(server)
                    done = load.send(server.port, [request], seconds, client_core, connections)
                    cpu = (cpu_seconds(server) - before) / done.answers * 1e6
                    # The first round warms up.
                    samples.setdefault((name, kind.name), []).extend(
                        [(cpu, done.answers / done.seconds)] * bool(number)
                    )
    lines = ["| request | server | CPU of a request | requests/s |", "|---|---|--:|--:|"]
    for name in cases:
        for kind in kinds:
            cpu, rate = (statistics.median(column) for column in zip(*samples[name, kind.name], strict=True))
            lines.append(f"| {name if kind is kinds[0] else ''} | {kind.name} | {cpu:,.0f} µs | {rate:,.0f} |")
    return "\n".join(lines)


@contextlib.contextmanager
def running(kinds: Sequence[Kind], environ: Mapping[str, str]) -> Iterator[tuple[list[ServerProcess], int | None]]:
    """Run servers on one core; the client may have another, where there is one."""
    cores = sorted(os.sched_getaffinity(0))
    servers: list[ServerProcess] = []
    try:
        if len(cores) > 1:
            os.sched_setaffinity(0, {cores[-1]})
        # No worker is renewed while its time is taken.
        servers += [kind.launch(environ, *(["--max-requests", "0"] if kind is GUNICORNS else [])) for kind in kinds]
        os.sched_setaffinity(0, set(cores))
        yield servers, cores[0] if len(cores) > 1 else None
    finally:
        os.sched_setaffinity(0, set(cores))
        for server in servers:
            server.stop()


def cpu_seconds(server: ServerProcess) -> float:
    """Read how long the workers have computed, threads that have ended among it."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in server.workers()]
    return sum(int(field[11]) + int(field[12]) for field in fields) / _TICKS


# --- a start, and memory ------------------------------------------------------------------------


def table_of_starts(kinds: Sequence[Kind], environ: Mapping[str, str]) -> str:
    """Start each several times; the memory is that after some requests."""
    lines = ["| | first answer after | memory of a worker (PSS) | of all processes |", "|---|--:|--:|--:|"]
    for kind in kinds:
        times, each, together = [], [], []
        for _ in range(STARTS):
            begin = time.monotonic()
            server = ServerProcess(kind.command, environ, at=kind.at[0], target=kind.target, asks="/status")
            times.append(time.monotonic() - begin)
            workers = server.all_workers(WORKERS)
            for _ in range(200):
                server.ask(f"{CITIES}?limit=50")
            each.append(statistics.mean(map(pss, workers)))
            together.append(sum(map(pss, [server.pid, *workers])))
            server.stop()
        cells = [f"{statistics.median(times):.2f} s", *(f"{statistics.median(of):.0f} MB" for of in (each, together))]
        lines.append(f"| {kind.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def pss(pid: int) -> float:
    """Read the memory of a process, of what it shares its part, in megabytes."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return int(found[1]) / 1000 if found else 0.0


# --- what is lost -------------------------------------------------------------------------------


def table_of_faults(environ: Mapping[str, str], code: Path) -> str:
    """Disturb both while they are asked."""
    rows: dict[str, Callable[[Kind], str]] = {
        "new workers under load (HUP)": lambda kind: reloaded(kind.launch(environ), code),
        "the same, on a unix socket": lambda kind: reloaded(kind.launch(environ, unix=True), code),
        "new code that cannot start (gunicorn: USR2, Granian: HUP)": lambda kind: broken(kind, environ, code),
        "one worker ended under load (TERM)": lambda kind: ended(kind.launch(environ)),
        "the same, on a unix socket ": lambda kind: ended(kind.launch(environ, unix=True)),
        "one worker killed (KILL)": lambda kind: killed(kind.launch(environ)),
        "stopped with 4 requests in flight (TERM)": lambda kind: drained(kind.launch(environ)),
        f"{SLOW} visitors send a letter of the head a second": lambda kind: slowed(
            kind, environ, b"GET / HTTP/1.1\r\nX: "
        ),
        f"{SLOW} visitors send a letter of the body a second": lambda kind: slowed(kind, environ, POST),
        "a body of which half arrives": lambda kind: cut(kind.launch(environ), b"Content-Length: 50\r\n\r\nhalf"),
        "a chunk that is none": lambda kind: cut(kind.launch(environ), b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        "a header of 9,000 letters": lambda kind: headed(kind.launch(environ)),
    }
    lines = ["| | gunicorn | Granian |", "|---|---|---|"]
    for name, row in rows.items():
        cells = []
        for kind in (GUNICORNS, GRANIANS):
            code.write_text("old")
            cells.append(row(kind))
            print(f"{name}: {kind.name}: {cells[-1]}", file=sys.stderr, flush=True)
        lines.append(f"| {name.strip()} | {' | '.join(cells)} |")
    return "\n".join(lines)


POST = b"POST /counter/body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


@contextlib.contextmanager
def asked(server: ServerProcess) -> Iterator[HttpLoad]:
    """Ask the server all the time, and end it behind."""
    try:
        with HttpLoad(server.connection) as crowd:
            yield crowd
    finally:
        server.stop()


def lost(crowd: HttpLoad) -> str:
    """Say how many requests were lost."""
    return f"{len(crowd.faults):,} of {crowd.answers + len(crowd.faults):,} lost"


def reloaded(server: ServerProcess, code: Path) -> str:
    """Give it new workers."""
    old, begin = server.workers(), time.monotonic()
    with asked(server) as crowd:
        code.write_text("new")
        server.signal(signal.SIGHUP)
        until(lambda: len(set(server.workers()) - set(old)) == WORKERS and not set(old) & set(server.workers()), "new")
        seconds = time.monotonic() - begin
        crowd.answered(100)
    return f"{lost(crowd)}, {seconds:.1f} s, {'new' if crowd.codes['new'] else 'the same'} code"


def broken(kind: Kind, environ: Mapping[str, str], code: Path) -> str:
    """Give it code that cannot start."""
    server = kind.launch(environ)
    with asked(server) as crowd:
        code.unlink()
        server.signal(signal.SIGUSR2 if kind is GUNICORNS else signal.SIGHUP)
        time.sleep(PATIENCE)
        before = crowd.answers
        time.sleep(1)
        serves = crowd.answers > before
    return f"{lost(crowd)}, {'the old code serves on' if serves else 'then the site is down'}"


def ended(server: ServerProcess) -> str:
    """End one worker."""
    return disturbed(server, signal.SIGTERM)


def killed(server: ServerProcess) -> str:
    """Kill one worker."""
    return disturbed(server, signal.SIGKILL)


def disturbed(server: ServerProcess, number: int) -> str:
    """Send a signal to one worker, and wait for another in its place."""
    old, begin = server.workers(), time.monotonic()
    with asked(server) as crowd:
        server.signal(number, old[0])
        try:
            is_so = lambda: old[0] not in server.workers() and len(server.workers()) == WORKERS  # noqa: E731
            until(is_so, "another", 2 * PATIENCE)
            seconds = f"another after {time.monotonic() - begin:.1f} s"
        except AssertionError:
            seconds = f"none in its place after {2 * PATIENCE} s"
        crowd.answered(500)
    return f"{lost(crowd)}, {seconds}"


def drained(server: ServerProcess) -> str:
    """Stop it while it answers."""
    answers: list[int] = []

    def ask() -> None:
        with contextlib.suppress(OSError):
            answers.append(server.ask("/counter/slow?seconds=2")[0])

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    time.sleep(1)
    server.signal(signal.SIGTERM)
    for thread in asking:
        thread.join()
    server.stop()
    return f"{answers.count(200)} of 4 answered"


def slowed(kind: Kind, environ: Mapping[str, str], begin: bytes) -> str:
    """Have many send slowly, and ask as one who does not."""
    server = kind.launch(environ)
    over = threading.Event()
    slow: list[socket.socket] = []

    def drip() -> None:
        for _ in range(SLOW):
            slow.append(socket.create_connection(("127.0.0.1", server.port)))
            slow[-1].sendall(begin)
            # Or one worker takes all of them, and the other none.
            time.sleep(0.02)
        while not over.wait(1):
            for connection in slow:
                with contextlib.suppress(OSError):
                    connection.sendall(b"a")

    thread = threading.Thread(target=drip)
    thread.start()
    time.sleep(2)
    try:
        waits = []
        for _ in range(5):
            begin_at = time.monotonic()
            connection = server.connection(PATIENCE)
            connection.request("GET", "/status")
            connection.getresponse().read()
            waits.append(time.monotonic() - begin_at)
        return f"others wait {max(waits) * 1000:,.0f} ms"
    except TimeoutError:
        return f"others wait more than {PATIENCE} s"
    finally:
        over.set()
        thread.join()
        for client in slow:
            client.close()
        server.kill()


def cut(server: ServerProcess, rest: bytes) -> str:
    """Send a body that breaks off."""
    head = b"POST /counter/body HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        connection.sendall(head + rest)
        connection.shutdown(socket.SHUT_WR)
        status = connection.recv(1000).partition(b"\r\n")[0].decode()
    server.stop()
    return status.partition(" ")[2] or "no answer"


def headed(server: ServerProcess) -> str:
    """Send a header that is long."""
    status = server.say(b"GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"a" * 9000 + b"\r\n\r\n")
    server.stop()
    return status.partition(b"\r\n")[0].decode().partition(" ")[2]

"""gunicorn's settings for this application: `gunicorn`, without arguments, starts it.

What a deployment chooses it says in the environment (`PORT`, `WEB_CONCURRENCY`, `WEB_THREADS`, `ACCESS_LOG`,
`LOG_FORMAT`, …), or on the command line, which takes precedence over all that is here. docs/performance.md
has the figures behind the choices.
"""

import fcntl
import gc
import os
import signal
import sys

from gunicorn import systemd
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from core.configuration import ConfigError
from core.serving import log
from core.serving import settings

try:
    serving = settings.read()
except ConfigError as error:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(3)

wsgi_app = "run:app"
# A socket of systemd (LISTEN_FDS) is taken instead by gunicorn.
bind = serving.address
# Group and owner may connect to a unix socket.
umask = 0o007

# gunicorn's gthread, whose threads do not wait for a request to arrive.
worker_class = "core.serving.worker.Worker"
workers = serving.workers
threads = serving.threads
# Workers are copies of one that is made already: they share its memory, and stand ready at once. So HUP gives new
# workers with the same code; new code comes with USR2 (see below), or a restart.
preload_app = True
# Workers restart before a leak fills the memory, and never two at the same time.
max_requests = 10_000
max_requests_jitter = 2_000

# The heartbeat is a file: on a disk that is busy, writing it may take longer than a worker is given.
_MEMORY = "/dev/shm"  # noqa: S108 - gunicorn opens its own files there, and unlinks them
worker_tmp_dir = _MEMORY if os.access(_MEMORY, os.W_OK) else None
# Seconds without a heartbeat. It is the worker's, not a request's: one that waits long keeps one thread.
timeout = 30
# Seconds for the requests in flight at a stop; a proxy and systemd have to wait longer.
graceful_timeout = 30
# Longer than the 60 seconds that nginx keeps a connection: who closes first must be the one who sends requests.
keepalive = 75

# The system's own sending of files waits for a client without an end.
sendfile = False

limit_request_line = 4094
limit_request_fields = 100
limit_request_field_size = 8190

# Trusted proxies are decided in core/http/proxies.py, whatever the server. gunicorn would believe `SCRIPT_NAME` and
# the scheme from its own machine even where no proxy is.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# It would be a way in beside the one that is guarded.
control_socket_disable = True

logger_class = log.Logger
loglevel = serving.log_level
accesslog = "-" if serving.access_log else None


def when_ready(server: Arbiter) -> None:
    """Before the first worker is made: keep what there is now out of every collection, and out of the old hands.

    A worker's first collection would write into every object, and the memory would be shared no longer.
    """
    gc.collect()
    gc.freeze()
    if os.environ.get("GUNICORN_PID") == str(os.getppid()):
        # USR2 has started this one. systemd follows it where the unit has NotifyAccess=all.
        server.retiring = os.getppid()
        systemd.sd_notify(f"MAINPID={os.getpid()}", server.log)


def pre_exec(server: Arbiter) -> None:
    """Before USR2 starts the next one: put the sockets where systemd had put them.

    gunicorn looks for them there (LISTEN_FDS), and has moved them.
    """
    if server.systemd:
        last = systemd.SD_LISTEN_FDS_START + len(server.LISTENERS)
        # First out of the way of each other.
        copies = [fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, last) for listener in server.LISTENERS]
        for number, copy in enumerate(copies, systemd.SD_LISTEN_FDS_START):
            os.dup2(copy, number)


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Let the first worker of a new master know which one it retires."""
    worker.retires = server.__dict__.pop("retiring", None)


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Let a worker that does not serve yet be ended: it would leave the signal to a copy of the master's queue.

    The master then waits for it until the time of a graceful stop is over.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def post_worker_init(worker: Worker) -> None:
    """Once new code answers, let the old finish its requests and go; until then it is there, come what may."""
    if worker.retires:
        os.kill(worker.retires, signal.SIGTERM)

"""Settings of a server, from the environment and this machine."""

import functools
from dataclasses import dataclass
from typing import Any

import config as deployment

from .machine import usable_cores

#: Two, so that one answers while the other restarts.
FEWEST_WORKERS = 2

#: With four threads each these are 64 connections; PostgreSQL takes 100 by default.
MOST_WORKERS = 16

PORT = 8000


@dataclass(frozen=True)
class Serving:
    """Settings of a server.

    :param address: host and port to listen on, unless systemd holds the socket
    """

    address: str
    workers: int
    threads: int
    request_seconds: int
    access_log: bool
    log_level: str
    log_format: str


@functools.cache
def read() -> Serving:
    """Read the environment; once in a process, so that a reload cannot end a server that runs.

    :raises ConfigError: if it does not describe a deployment that can run
    """
    values, variables = deployment.load(), deployment.variables()
    workers = min(max(usable_cores(), FEWEST_WORKERS), MOST_WORKERS)
    return Serving(
        address=_address(values, is_set={name for name in ("HOST", "PORT") if variables.get(name)}),
        workers=values["WEB_CONCURRENCY"] or workers,
        threads=values["WEB_THREADS"],
        request_seconds=values["WEB_REQUEST_SECONDS"],
        access_log=values["ACCESS_LOG"],
        log_level=values["LOG_LEVEL"].lower(),
        log_format=values["LOG_FORMAT"],
    )


def _address(values: dict[str, Any], is_set: set[str]) -> str:
    host, port = values["HOST"], values["PORT"] if "PORT" in is_set else PORT
    # A hosting platform sets PORT, and its router is another machine; a developer's server stays on this one.
    if is_set == {"PORT"} and values["APP_ENV"] == "production":
        host = "0.0.0.0"  # noqa: S104
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

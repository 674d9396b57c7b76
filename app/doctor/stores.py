"""Checks of Redis, where sessions and counters are that several processes share."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import redis

from .findings import Deployment
from .findings import Finding
from .findings import Level
from .findings import check

#: Seconds that Redis may take to answer.
TIMEOUT_SECONDS = 2


@check("core.redis-away", Level.ERROR)
def redis_away(deployment: Deployment) -> Iterator[Finding]:
    """Redis answers, where one is set."""
    url = deployment.config["REDIS_URL"]
    if not url:
        return
    client = redis.Redis.from_url(url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)
    try:
        client.ping()
    except redis.RedisError as error:
        yield Finding(
            f"Redis does not answer: {type(error).__name__}.",
            "Start it, or correct REDIS_URL; without it each process counts for itself.",
            "REDIS_URL",
        )
    finally:
        client.close()


@check("core.redis-open", Level.WARNING, production=True)
def redis_open(deployment: Deployment) -> Iterator[Finding]:
    """Redis on another machine asks for a password, and is reached by TLS."""
    url = urlsplit(deployment.config["REDIS_URL"] or "")
    if not url.hostname or url.hostname in ("localhost", "127.0.0.1", "::1"):
        return
    if not url.password:
        yield Finding(
            "REDIS_URL has no password: anyone who reaches the port can read and write.",
            "Give Redis a user with a password, and REDIS_URL both.",
            "REDIS_URL",
        )
    if url.scheme != "rediss":
        yield Finding("Redis is reached without TLS.", "Write rediss://…", "REDIS_URL")


@check("core.counters-apart", Level.WARNING, production=True)
def counters_apart(deployment: Deployment) -> Iterator[Finding]:
    """All processes count limits together."""
    if not deployment.config["REDIS_URL"]:
        yield Finding(
            "REDIS_URL is not set: each process counts for itself, so that with four a limit is four times as high, "
            "and forgotten at a restart.",
            "Set REDIS_URL. With one process it is not needed.",
            "REDIS_URL",
        )

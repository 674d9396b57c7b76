"""The database is killed, stopped and frozen under load: nothing acknowledged is lost, and nothing happens twice."""

import collections
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa

from tests import tokens
from tests.processes import until

from .conftest import Site
from .loads import Answer
from .loads import Client
from .loads import Load
from .loads import create

SERVERS = pytest.mark.parametrize("site", ["postgresql", "mariadb"], indirect=True)


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, make_site: Callable[..., Site]) -> Site:
    return make_site(request.param)


def crash(site: Site, load: Load) -> None:
    site.database.kill()
    until(lambda: load.failed, "that it is noticed")
    site.database.start()


def stop(site: Site, load: Load) -> None:
    # PostgreSQL's fast shutdown; MariaDB knows SIGTERM only.
    site.database.end(signal.SIGINT if site.engine.dialect.name == "postgresql" else signal.SIGTERM)
    site.database.start()


def end_connections(site: Site, load: Load) -> None:
    with site.engine.connect() as connection:
        if site.engine.dialect.name == "postgresql":
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
            return
        ids = connection.scalars(sa.text("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()"))
        for number in ids.all():
            # It may have ended by itself.
            with suppress(sa.exc.OperationalError):
                connection.execute(sa.text(f"KILL {number}"))


def freeze(site: Site, load: Load) -> None:
    site.database.signal(signal.SIGSTOP)
    until(lambda: len(load.failed) > 3, "that it is noticed")
    site.database.signal(signal.SIGCONT)


@SERVERS
@pytest.mark.parametrize("outage", [crash, stop, end_connections, freeze], ids=lambda outage: outage.__name__)
def test_nothing_acknowledged_is_lost_or_doubled(site: Site, outage: Callable[[Site, Load], None]) -> None:
    with site.load().running() as load:
        load.wait(100)
        began = time.monotonic()
        outage(site, load)
        load.wait(100, since=time.monotonic())
        # So many have been answered that each worker has found its database again.
        back = time.monotonic()
        load.wait(100, since=back)
    # A connection that was lost before a request is replaced, unnoticed.
    assert load.failed or outage in (end_connections, stop)
    assert_answered_well(load, began)
    late = [answer for answer in load.failed if answer.began > back]
    assert not late, in_short(late)
    repeat_until_done(site, load)
    assert_kept(site, load)


def assert_answered_well(load: Load, began: float) -> None:
    """Each failure was answered, before the client gave up, by a document that says when to come back.

    A change may take effect although its answer is lost with the database; `If-Match` then refuses the next.
    """
    assert all(answer.ended > began for answer in load.failed), in_short(load.failed)
    in_doubt = {answer.name for answer in load.failed if answer.method == "PATCH" and is_unavailable(answer)}
    wrong = [
        answer
        for answer in load.failed
        if not is_unavailable(answer) and not (answer.status == 412 and answer.name in in_doubt)
    ]
    assert not wrong, in_short(wrong)


def is_unavailable(answer: Answer) -> bool:
    is_document = answer.headers.get("content-type") == "application/problem+json"
    if answer.status != 503 or not is_document:
        return False
    return answer.json()["type"] == "/problems/unavailable" and int(answer.headers["retry-after"]) > 0


def in_short(answers: list[Answer]) -> Any:
    counted = collections.Counter((answer.method, answer.status, round(answer.seconds)) for answer in answers)
    return counted, [(answer.headers, answer.body[:500]) for answer in answers[:2]]


def repeat_until_done(site: Site, load: Load) -> None:
    """Send again, with its key, what was not acknowledged."""
    client = Client(site.connect(), tokens.authorization(site.token))
    for answer in [one for one in load.creates if one.key and not one.is_success]:
        again = create(client, answer.name, answer.key)
        assert again.status == 201, (again.status, again.body)
        load.answers.append(again)
    client.close()


def assert_kept(site: Site, load: Load) -> None:
    rows = collections.Counter(site.names())
    acknowledged = [answer.name for answer in load.creates if answer.is_success]
    assert len(acknowledged) > 20
    assert {name: rows[name] for name in acknowledged if rows[name] != 1} == {}
    assert {name: count for name, count in rows.items() if count > 1} == {}
    found = site.populations()
    assert load.populations
    assert all(found[name] in known for name, known in load.populations.items())

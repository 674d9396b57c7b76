"""The outbox: done after the COMMIT, once, or not at all."""

from collections.abc import Callable
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import OperationalError

from core.access import security_log
from core.data.outbox import after_commit
from services import db
from tests.commits import failing_commits
from tests.core.warehouse import Maker


@pytest.fixture
def done_jobs(app: Flask) -> Iterator[list[str]]:
    with app.app_context():
        yield []


def write(name: str) -> None:
    db.session.add(Maker(name=name))
    db.session.flush()


def test_action_waits_for_commit(done_jobs: list[str]) -> None:
    write("a")
    after_commit(lambda: done_jobs.append("sent"))
    assert done_jobs == []

    db.session.commit()
    db.session.commit()

    assert done_jobs == ["sent"]


def test_action_without_transaction_runs_now(done_jobs: list[str]) -> None:
    after_commit(lambda: done_jobs.append("sent"))

    assert done_jobs == ["sent"]


def test_rollback_drops_actions(done_jobs: list[str]) -> None:
    write("a")
    after_commit(lambda: done_jobs.append("sent"))
    db.session.rollback()
    db.session.commit()

    assert done_jobs == []


def test_savepoint_drops_only_its_own(done_jobs: list[str]) -> None:
    write("a")
    after_commit(lambda: done_jobs.append("outer"))
    with db.session.begin_nested():
        after_commit(lambda: done_jobs.append("released"))
    assert done_jobs == []
    undone = db.session.begin_nested()
    after_commit(lambda: done_jobs.append("undone"))
    undone.rollback()
    db.session.commit()

    assert done_jobs == ["outer", "released"]


def test_failed_commit_drops_actions(
    app: Flask, done_jobs: list[str], caplog: pytest.LogCaptureFixture, engine_name: str
) -> None:
    write("a")
    after_commit(lambda: done_jobs.append("sent"))
    security_log.record("limit.exceeded")
    with failing_commits(app), pytest.raises(OperationalError):
        db.session.commit()
    db.session.rollback()

    assert done_jobs == []
    assert "limit.exceeded" not in caplog.text
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Maker)) == 0


def test_failing_action_stops_no_other(done_jobs: list[str], caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("no mail today")

    write("a")
    after_commit(fail)
    after_commit(lambda: done_jobs.append("sent"))
    db.session.commit()

    assert done_jobs == ["sent"]
    assert "no mail today" in caplog.text


def test_refusal_is_logged_at_once(
    done_jobs: list[str], caplog: pytest.LogCaptureFixture, make_app: Callable[..., Flask]
) -> None:
    write("a")
    security_log.record("access.denied", security_log.DENIED)

    assert "access.denied" in caplog.text

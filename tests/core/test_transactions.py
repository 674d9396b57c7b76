"""One transaction: it commits at the end of the outermost block, or undoes everything."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import OperationalError

from core.crud import transaction
from core.data.outbox import after_commit
from services import db
from tests.commits import failing_commits
from tests.core.warehouse import Maker


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def add(name: str) -> None:
    db.session.add(Maker(name=name))
    db.session.flush()


def stored(app: Flask) -> list[str]:
    with app.app_context():
        return [*db.session.scalars(sa.select(Maker.name).order_by(Maker.name))]


def fail() -> None:
    with transaction():
        add("a")
        raise OSError("no")


def fail_outside() -> None:
    with transaction():
        with transaction():
            add("a")
        raise OSError("no")


def test_block_commits(app: Flask) -> None:
    with transaction():
        add("a")

    assert stored(app) == ["a"]


def test_error_rolls_back(app: Flask) -> None:
    with pytest.raises(OSError, match="no"):
        fail()

    assert db.session.scalar(sa.select(sa.func.count(Maker.id))) == 0


def test_inner_block_joins_outer(app: Flask) -> None:
    sent: list[str] = []
    with transaction():
        with transaction():
            add("a")
            after_commit(lambda: sent.append("a"))
        assert sent == []
        add("b")

    assert (sent, stored(app)) == (["a"], ["a", "b"])


def test_outer_error_undoes_inner_block(app: Flask) -> None:
    with pytest.raises(OSError, match="no"):
        fail_outside()

    assert stored(app) == []


def test_failed_block_leaves_next_one_alone(app: Flask) -> None:
    with pytest.raises(OSError, match="no"):
        fail()
    with transaction():
        add("b")

    assert stored(app) == ["b"]


def test_failed_commit_raises_at_end(app: Flask) -> None:
    with failing_commits(app), pytest.raises(OperationalError), transaction():
        add("a")

    assert stored(app) == []


def test_block_without_session_makes_none() -> None:
    with transaction():
        pass

    assert not db.session.registry.has()

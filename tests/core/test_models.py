from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from core.data.models import Money
from services import db
from tests.core.warehouse import Maker
from tests.core.warehouse import Thing

on_each_engine = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@pytest.fixture
def add_thing(app: Flask) -> Callable[..., Thing]:
    def add(**values: object) -> Thing:
        if db.session.get(Maker, 1) is None:
            db.session.add(Maker(id=1, name="Acme"))
        item = Thing(name="pen", maker_id=1, **values)
        db.session.add(item)
        db.session.commit()
        return item

    with app.app_context():
        yield add
        db.session.rollback()


def test_moment_round_trips_in_utc(add_thing: Callable[..., Thing]) -> None:
    madrid = timezone(timedelta(hours=2))
    item = add_thing(moment=datetime(2026, 7, 1, 0, 30, 15, 123456, madrid))
    assert item.moment == datetime(2026, 6, 30, 22, 30, 15, 123456, UTC)
    assert item.moment.utcoffset() == timedelta(0)


def test_moments_compare_across_zones(add_thing: Callable[..., Thing]) -> None:
    add_thing(moment=datetime(2026, 7, 1, 12, tzinfo=UTC))
    west = datetime(2026, 7, 1, 4, tzinfo=timezone(-timedelta(hours=8)))
    assert db.session.scalars(sa.select(Thing.name).where(Thing.moment == west)).all() == ["pen"]


def test_moment_without_zone_is_refused(add_thing: Callable[..., Thing]) -> None:
    with pytest.raises(StatementError, match="has no zone"):
        add_thing(moment=datetime(2026, 1, 1))


@on_each_engine
@given(amount=st.decimals("-99999999.99", "99999999.99", places=2))
def test_money_comes_back_exactly(add_thing: Callable[..., Thing], amount: Decimal) -> None:
    item = add_thing(price=amount)
    db.session.refresh(item)
    assert item.price == amount
    assert item.price.as_tuple().exponent == -2
    found = sa.select(Thing.id).where(Thing.price == amount, Thing.id == item.id)
    assert db.session.scalar(found) == item.id


def test_too_fine_money_refused() -> None:
    with pytest.raises(ValueError, match="at most 15 digits"):
        Money(16, 2)


def test_times_are_kept_by_the_application(add_thing: Callable[..., Thing]) -> None:
    before = datetime.now(UTC)
    item = add_thing()
    created = item.created_at
    assert before <= created <= datetime.now(UTC)
    item.name = "pencil"
    db.session.commit()
    assert item.created_at == created
    assert item.updated_at > created


def test_version_counts_changes(add_thing: Callable[..., Thing]) -> None:
    item = add_thing()
    assert item.version == 1
    item.name = "pencil"
    db.session.commit()
    assert item.version == 2


def test_older_version_change_is_stale(add_thing: Callable[..., Thing]) -> None:
    item = add_thing()
    db.session.refresh(item)
    set_committed_value(item, "version", 7)
    item.name = "pencil"
    with pytest.raises(StaleDataError):
        db.session.flush()

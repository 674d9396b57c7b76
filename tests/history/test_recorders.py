"""Recording of every change, through any face, as it was and as it became."""

import uuid
from collections.abc import Callable
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.history.plans import make_plan
from core.access import ANONYMOUS
from core.access import acting_as
from core.signals import row_written
from services import db
from tests.history import ledger
from tests.history.conftest import ANA
from tests.history.conftest import EVA
from tests.history.conftest import Office
from tests.history.ledger import Entry
from tests.history.ledger import Group
from tests.history.ledger import Kind
from tests.history.ledger import Label

FULL: dict[str, Any] = {
    "title": "Rent für März 🏠",
    "amount": Decimal("1234.50"),
    "day": date(2026, 2, 28),
    "clock": time(23, 59, 59, 123456),
    # MariaDB keeps whole seconds of an interval.
    "span": timedelta(days=3, hours=4, seconds=5),
    "due_at": datetime(2026, 3, 1, 12, 30, 15, 678901, UTC),
    "local": datetime(2026, 3, 1, 12, 30, 15, 678901),
    "kind": Kind.EXPENSE,
    "mood": "wild",
    "data": {"a": [1, 2.5, None, {"deep": True}], "é": "ü"},
    "blob": bytes(range(256)),
    "ratio": 0.1 + 0.2,
    "token": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    "flag": False,
    "big": 2**62 + 1,
    "body": "A long one.",
}


def test_create_is_recorded_whole(office: Office) -> None:
    group = office.add(Group, name="House")
    labels = [office.add(Label, name=name) for name in ("red", "blue")]
    with office.app.app_context():
        assert office.changes()[0].before is None

    key = office.write(lambda: _create(group, labels), ANA)

    change = office.last()
    assert (change.model, change.row_key, change.verb, change.before) == ("ledger_entry", str(key), "create", None)
    assert (change.actor_key, change.actor_name, change.via) == ("ana-key", "Ana", "session")
    assert change.after is not None
    assert change.after["amount"] == "1234.50"
    assert change.after["kind"] == "EXPENSE"
    assert change.after["labels"] == sorted(labels)
    assert change.after["stock"] == 7  # what the database has set
    assert change.after["group_id"] == group
    assert change.after["owner_key"] == "ana-key"
    assert change.hidden is None
    assert timedelta(0) <= datetime.now(UTC) - change.at < timedelta(minutes=1)


def _create(group: int, labels: list[int]) -> Entry:
    rows = [db.session.get_one(Label, key) for key in labels]
    found: Entry = ledger.entries.create({**FULL, "group_id": group, "labels": rows})
    return found


@pytest.mark.parametrize("name", FULL)
def test_value_reads_back_unchanged(office: Office, name: str) -> None:
    office.add(**{"title": "x", name: FULL[name]})
    change = office.last()
    with office.app.app_context():
        plan = make_plan(sa.inspect(Entry))
        assert change.after is not None
        found = plan.read(name, change.after[name])
        assert (found, type(found)) == (FULL[name], type(FULL[name]))
        stored = db.session.get_one(Entry, int(change.row_key))
        assert plan.holds(stored, name, change.after[name])


def test_update_records_what_has_changed_only(office: Office) -> None:
    key = office.add(title="Rent", amount=Decimal(5))
    office.change(key, title="Rent", amount=Decimal("7.25"), kind=Kind.EXPENSE)
    change = office.last()
    assert (change.verb, change.row_key) == ("update", str(key))
    assert change.before == {"amount": "5.00", "kind": "INCOME"}
    assert change.after == {"amount": "7.25", "kind": "EXPENSE"}


def test_unchanged_update_not_recorded(sqlite_office: Office) -> None:
    key = sqlite_office.add(title="Rent")
    sqlite_office.change(key, title="Rent")
    assert len(sqlite_office.changes()) == 1


def test_links_are_recorded(office: Office) -> None:
    red, blue = (office.add(Label, name=name) for name in ("red", "blue"))
    key = office.add(title="Rent")
    office.write(lambda: _link(key, [red, blue]))
    office.write(lambda: _link(key, [blue]))
    first, second = office.changes()[-2:]
    assert (first.before, first.after) == ({"labels": []}, {"labels": [red, blue]})
    assert (second.before, second.after) == ({"labels": [red, blue]}, {"labels": [blue]})


def _link(key: int, labels: list[int]) -> None:
    ledger.entries.update(ledger.entries.get(key), {"labels": [db.session.get_one(Label, one) for one in labels]})


def test_delete_records_the_whole_row(office: Office) -> None:
    red = office.add(Label, name="red")
    key = office.write(lambda: _create(office.add(Group, name="House"), [red]))
    office.write(lambda: ledger.entries.delete(db.session.get_one(Entry, key)))
    change = office.last()
    assert (change.verb, change.after) == ("delete", None)
    assert change.before is not None
    assert change.before["labels"] == [red]
    assert change.before["body"] == "A long one."  # a column that had not been read
    assert set(change.before) == set(FULL) | {
        *("id", "owner_key", "created_at", "updated_at", "version", "stock", "group_id", "labels")
    }


def test_secret_change_recorded_without_value(office: Office) -> None:
    key = office.add(title="Rent", pin="hunter2")
    assert office.last().hidden == ["pin"]
    office.change(key, pin="hunter3", title="Lease")
    assert office.last().hidden == ["pin"]
    assert office.last().after == {"title": "Lease"}
    office.delete(key)
    assert office.last().hidden == ["pin"]
    seen = [(one.before, one.after) for one in office.changes()]
    assert "hunter" not in str(seen)


def test_unrecorded_column_left_out(sqlite_office: Office) -> None:
    key = sqlite_office.add(title="Rent")
    sqlite_office.change(key, reads=5)
    assert len(sqlite_office.changes()) == 1
    assert sqlite_office.changes()[0].after is not None
    assert "reads" not in sqlite_office.changes()[0].after


def test_unloaded_value_recorded(office: Office) -> None:
    key = office.add(title="Rent", amount=Decimal(3))

    def work() -> None:
        entry = db.session.get_one(Entry, key)
        db.session.expire(entry)
        entry.title = "Lease"

    office.write(work)
    assert (office.last().before, office.last().after) == ({"title": "Rent"}, {"title": "Lease"})


def test_expression_recorded_as_result(office: Office) -> None:
    key = office.add(title="Rent", big=20)

    def work() -> None:
        db.session.get_one(Entry, key).big = Entry.big + 1

    office.write(work)
    assert (office.last().before, office.last().after) == ({"big": 20}, {"big": 21})


def test_flush_costs_one_insert(office: Office) -> None:
    statements: list[str] = []

    def work() -> None:
        engine = db.engine
        sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        db.session.add_all([Group(name=f"Group {number}") for number in range(3)])

    office.write(work)
    assert len([one for one in statements if "history_change" in one]) == 1
    assert [one.verb for one in office.changes()] == ["create"] * 3


def test_rollback_leaves_no_history(office: Office) -> None:
    with office.app.app_context(), acting_as(EVA):
        ledger.groups.create({"name": "House"})
        savepoint = db.session.begin_nested()
        ledger.groups.create({"name": "Garden"})
        savepoint.rollback()
        db.session.commit()
        ledger.groups.create({"name": "Garage"})
        db.session.rollback()
    assert [one.after for one in office.changes()] == [{"id": office.changes()[0].after["id"], "name": "House"}]


def test_failed_flush_leaves_nothing(office: Office) -> None:
    office.add(Group, name="House")
    with office.app.app_context(), acting_as(EVA):
        db.session.add_all([Group(name="Garden"), Group(name="House")])
        with pytest.raises(sa.exc.IntegrityError):
            db.session.flush()
        db.session.rollback()
        ledger.groups.create({"name": "Garage"})
        db.session.commit()
    assert [one.after["name"] for one in office.changes()] == ["House", "Garage"]


@pytest.mark.parametrize(("model", "values"), [(ledger.Draft, {"text": "x"}), (ledger.Stamp, {"text": "x"})])
def test_model_without_a_history_has_none(sqlite_office: Office, model: type[Any], values: dict[str, Any]) -> None:
    sqlite_office.write(lambda: db.session.add(model(**values)))
    assert not sqlite_office.changes()


def test_anonymous_change_has_no_actor(sqlite_office: Office) -> None:
    sqlite_office.add(Label, who=ANONYMOUS, name="red")
    assert (sqlite_office.last().actor_key, sqlite_office.last().actor_name) == (None, "")


def test_command_is_recorded_as_one(sqlite_office: Office) -> None:
    with sqlite_office.app.app_context():
        ledger.labels.create({"name": "red"})
        db.session.commit()
    assert (sqlite_office.last().actor_key, sqlite_office.last().via, sqlite_office.last().request_id) == (
        None,
        "command",
        None,
    )


def test_statement_says_what_it_has_done(office: Office) -> None:
    key = office.add(title="Rent", big=1)

    def work() -> None:
        db.session.execute(sa.update(Entry).where(Entry.id == key).values(big=5))
        row_written.send(Entry, key=key, before={"big": 1}, after={"big": 5})

    office.write(work)
    change = office.last()
    assert (change.verb, change.row_key, change.before, change.after) == ("update", str(key), {"big": 1}, {"big": 5})


def test_unrecorded_model_statement_not_recorded(sqlite_office: Office) -> None:
    sqlite_office.write(lambda: row_written.send(ledger.Draft, key=1, before=None, after={"text": "x"}))
    assert not sqlite_office.changes()


def test_application_without_the_module_records_nothing(make_office: Callable[..., Office]) -> None:
    make_office("sqlite")
    office = make_office("sqlite", [ledger.__name__])
    office.add(Label, name="red")
    assert not office.changes()


def test_reading_costs_no_statement(sqlite_office: Office) -> None:
    key = sqlite_office.add(title="Rent")
    statements: list[str] = []
    with sqlite_office.app.app_context():
        sa.event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    client = sqlite_office.client()
    assert client.get(f"/ledger/entries/{key}").status_code == 200
    assert not [one for one in statements if "history_change" in one]


# --- faces --------------------------------------------------------------------------------------


def test_pages_record_user_and_request(office: Office) -> None:
    client = office.client(EVA)
    office.app.config["WTF_CSRF_ENABLED"] = False
    answer = client.post("/ledger/groups/new", data={"name": "House"}, headers={"X-Request-ID": "request-0001"})
    assert answer.status_code == 303
    change = office.last()
    assert (change.actor_name, change.request_id, change.verb) == ("Eva", "request-0001", "create")


def test_rest_and_bulk_are_recorded(office: Office) -> None:
    client = office.client(EVA)
    made = client.post("/ledger/api/v1/entries", json={"title": "Rent"})
    assert made.status_code == 201
    operations = [
        {"method": "create", "data": {"title": "Heating"}},
        {"method": "create", "data": {"title": None}},
        {"method": "update", "key": made.json["id"], "version": 1, "data": {"title": "Lease"}},
        {"method": "delete", "key": made.json["id"], "version": 2},
    ]
    client.post("/ledger/api/v1/entries:bulk", json={"operations": operations})
    seen = [(one.verb, (one.after or one.before)["title"], one.actor_name) for one in office.changes()]
    assert seen == [
        ("create", "Rent", "Eva"),
        ("create", "Heating", "Eva"),
        ("update", "Lease", "Eva"),
        ("delete", "Lease", "Eva"),
    ]


def test_two_applications_record_separately(make_office: Callable[..., Any], make_app: Any) -> None:
    first, second = make_office("sqlite"), make_office("sqlite", [ledger.__name__])
    assert isinstance(first.app, Flask)
    second.add(Label, name="red")
    first.add(Label, name="blue")
    assert [one.after["name"] for one in first.changes()] == ["blue"]

"""A change is taken back by the verbs of its row: what still is as it left it, and nothing else."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.history import undos
from app.history.models import Change
from app.history.plans import make_plan
from core.access import Identity
from core.access import acting_as
from core.exceptions import Forbidden
from services import db
from tests.history import ledger
from tests.history.conftest import ANA
from tests.history.conftest import BEN
from tests.history.conftest import EVA
from tests.history.conftest import Office
from tests.history.ledger import Entry
from tests.history.ledger import Group
from tests.history.ledger import Kind
from tests.history.ledger import Label
from tests.history.test_recorders import FULL


def undo(office: Office, change: Change, who: Identity = EVA, *, partly: bool = False, version: Any = None) -> Any:
    """Take a change back, and return the key of the row, if there is one."""
    model = next(model for model in (Entry, Group, Label) if model.__tablename__ == change.model)
    with office.app.app_context(), acting_as(who):
        stored = db.session.get_one(Change, change.id)
        found = undos.prepare(make_plan(sa.inspect(model)), stored, lock=True)
        item = undos.run(found, version, partly=partly)
        db.session.commit()
        return None if item is None else item.id


def test_update_is_set_back(office: Office) -> None:
    key = office.add(title="Rent", amount=Decimal(5), pin="1")
    office.change(key, title="Lease", amount=Decimal("7.25"), kind=Kind.EXPENSE)
    change = office.last()
    assert undo(office, change) == key
    row = office.read(key)
    assert row is not None
    assert (row["title"], row["amount"], row["kind"]) == ("Rent", Decimal(5), Kind.INCOME)
    assert row["version"] == 3
    back = office.last()
    assert (back.undoes_id, back.verb, back.after) == (change.id, "update", change.before)


def test_undo_is_undone(office: Office) -> None:
    key = office.add(title="Rent")
    office.change(key, title="Lease")
    undo(office, office.last())
    undo(office, office.last())
    row = office.read(key)
    assert row is not None
    assert row["title"] == "Lease"


def test_what_has_changed_since_is_refused(office: Office) -> None:
    key = office.add(title="Rent", amount=Decimal(5))
    office.change(key, title="Lease", amount=Decimal(6))
    change = office.last()
    office.change(key, title="Hire")
    with pytest.raises(undos.Refused, match="since"):
        undo(office, change)
    row = office.read(key)
    assert row is not None
    assert (row["title"], row["amount"]) == ("Hire", Decimal(6))


def test_undo_rest_when_requested(office: Office) -> None:
    key = office.add(title="Rent", amount=Decimal(5))
    office.change(key, title="Lease", amount=Decimal(6))
    change = office.last()
    office.change(key, title="Hire")
    undo(office, change, partly=True)
    row = office.read(key)
    assert row is not None
    assert (row["title"], row["amount"]) == ("Hire", Decimal(5))


def test_nothing_is_left_to_set_back(office: Office) -> None:
    key = office.add(title="Rent")
    office.change(key, title="Lease")
    change = office.last()
    office.change(key, title="Hire")
    with pytest.raises(undos.Refused):
        undo(office, change, partly=True)


def test_change_reverted_by_hand_no_conflict(office: Office) -> None:
    key = office.add(title="Rent", amount=Decimal("9.50"))
    office.change(key, amount=Decimal("7.1"))
    change = office.last()
    office.change(key, title="Hire")
    undo(office, change)
    row = office.read(key)
    assert row is not None
    assert (row["title"], row["amount"]) == ("Hire", Decimal("9.50"))


def test_links_are_set_back(office: Office) -> None:
    red, blue = (office.add(Label, name=name) for name in ("red", "blue"))
    key = office.add(title="Rent")
    office.write(lambda: _link(key, [red, blue]))
    office.write(lambda: _link(key, []))
    office.delete(blue, Label)
    undo(office, office.changes()[-2])
    row = office.read(key)
    assert row is not None
    assert row["labels"] == ["red"]  # of those that still are


def _link(key: int, labels: list[int]) -> None:
    ledger.entries.update(ledger.entries.get(key), {"labels": [db.session.get_one(Label, one) for one in labels]})


def test_deleted_row_restored_unchanged(office: Office) -> None:
    red, group = office.add(Label, name="red"), office.add(Group, name="House")
    key = office.write(
        lambda: ledger.entries.create({**FULL, "group_id": group, "labels": [db.session.get_one(Label, red)]}), ANA
    )
    office.change(key, flag=True)
    before = office.read(key)
    assert before is not None
    office.delete(key)
    assert undo(office, office.last()) == key
    after = office.read(key)
    assert after is not None
    assert {**after, "version": 0, "updated_at": 0} == {**before, "version": 0, "updated_at": 0}
    assert after["owner_key"] == "ana-key"  # whose it was, not who brought it back
    assert after["version"] == before["version"] + 1  # an ETag from before does not fit
    office.change(key, title="Lease")


def test_existing_row_not_restored(office: Office) -> None:
    key = office.add(title="Rent")
    office.delete(key)
    change = office.last()
    undo(office, change)
    with pytest.raises(undos.Refused, match="again"):
        undo(office, change)


def test_row_with_taken_key_not_restored(office: Office) -> None:
    key = office.add(Group, name="House")
    office.add(Group, name="Shed")  # else SQLite gives the key to the next one
    office.delete(key, Group)
    change = office.last()
    office.add(Group, name="House")
    with pytest.raises(undos.Refused, match="Another group has this already"):
        undo(office, change)


def test_row_with_secret_not_restored(office: Office) -> None:
    key = office.add(title="Rent", pin="hunter2")
    office.delete(key)
    with pytest.raises(undos.Refused, match="pin"):
        undo(office, office.last())


def test_created_row_is_deleted(office: Office) -> None:
    key = office.add(title="Rent")
    assert undo(office, office.last()) is None
    assert office.read(key) is None
    assert office.last().verb == "delete"
    with pytest.raises(undos.Refused, match="gone"):
        undo(office, office.changes()[0])


def test_created_row_that_has_changed_stays(office: Office) -> None:
    key = office.add(title="Rent")
    office.change(key, title="Lease")
    with pytest.raises(undos.Refused, match="changed since"):
        undo(office, office.changes()[0], partly=True)
    assert office.read(key) is not None


def test_created_row_that_others_need_stays(office: Office) -> None:
    group = office.add(Group, name="House")
    office.add(title="Rent", group_id=group)
    with pytest.raises(undos.Refused, match="point to this group"):
        undo(office, office.changes()[0])


def test_update_undo_waits_for_row(office: Office) -> None:
    key = office.add(title="Rent")
    office.change(key, title="Lease")
    office.delete(key)
    with pytest.raises(undos.Refused, match="gone"):
        undo(office, office.changes()[1])


def test_only_secrets_have_changed(sqlite_office: Office) -> None:
    key = sqlite_office.add(title="Rent")
    sqlite_office.change(key, pin="hunter2")
    with pytest.raises(undos.Refused, match="kept"):
        undo(sqlite_office, sqlite_office.last())


def test_unseen_version_refused(office: Office) -> None:
    key = office.add(title="Rent")
    office.change(key, title="Lease")
    with pytest.raises(undos.Refused, match="was changed"):
        undo(office, office.last(), version=1)
    undo(office, office.last(), version=2)


def test_undo_takes_what_the_verb_takes(office: Office) -> None:
    key = office.add(title="Rent", who=ANA)
    office.change(key, title="Lease")
    change = office.last()
    with pytest.raises(Forbidden):
        undo(office, change, BEN)
    undo(office, change, ANA)  # it is hers
    row = office.read(key)
    assert row is not None
    assert row["title"] == "Rent"


def test_nothing_remembers_an_undo_that_failed(office: Office) -> None:
    key = office.add(Group, name="House")
    office.add(Group, name="Shed")  # else SQLite gives the key to the next one
    office.delete(key, Group)
    change = office.last()
    office.add(Group, name="House")
    with office.app.app_context(), acting_as(EVA):
        found = undos.prepare(make_plan(sa.inspect(Group)), db.session.get_one(Change, change.id))
        with pytest.raises(undos.Refused):
            undos.run(found, None)
        ledger.groups.create({"name": "Garden"})
        db.session.commit()
    assert office.last().undoes_id is None


def test_two_undos_at_once_are_one(office: Office, run_in_threads: Callable[..., list[Any]]) -> None:
    key = office.add(Group, name="House")
    office.change(key, Group, name="Garden")
    change = office.last()

    def work() -> str:
        try:
            undo(office, change)
        except undos.Refused:
            return "refused"
        return "done"

    assert sorted(run_in_threads(work, work)) == ["done", "refused"]
    assert [one.undoes_id for one in office.changes()].count(change.id) == 1

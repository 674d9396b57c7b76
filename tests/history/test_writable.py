"""An undo writes what its caller could write by a face, names what it leaves, and undoes no effect alone."""

import html
import re

import pytest

from app.history.models import Change
from core.access import Identity
from core.access import unchecked
from services import db
from tests.history.bank import Account
from tests.history.bank import Contract
from tests.history.bank import Parcel
from tests.history.bank import accounts
from tests.history.bank import set_by_staff
from tests.history.conftest import Office
from tests.history.test_sight import MIA
from tests.history.test_sight import STAN
from tests.history.test_sight import TOM


def undo(office: Office, who: Identity, change: Change) -> tuple[str, int, str]:
    """Return the question of an undo, the status of its answer, and the message or page that follows."""
    client = office.client(who)
    path = f"/history/changes/{change.id}/undo"
    question = client.get(path).text
    fields = {"version": "1"} | dict(
        re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', question.split("<main")[1])
    )
    office.app.config["WTF_CSRF_ENABLED"] = False
    answer = client.post(path, data=fields)
    after = client.get(answer.headers["Location"]).text if answer.status_code == 303 else answer.text
    return html.unescape(question), answer.status_code, html.unescape(after)


def account(office: Office, key: int) -> dict[str, object]:
    found = office.read(key, Account)
    assert found is not None
    return found


@pytest.mark.parametrize("who", [MIA, STAN])
@pytest.mark.parametrize(
    ("values", "label"), [({"approved": True}, "Approved"), ({"balance": 9}, "Balance"), ({"ceiling": 9}, "Ceiling")]
)
def test_column_that_no_face_writes_stays(office: Office, who: Identity, values: dict[str, int], label: str) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    office.write(lambda: set_by_staff(key, **values))
    change = office.last()
    office.write(lambda: set_by_staff(key, **values, name="Purse"))
    question, status, _ = undo(office, who, change)
    assert (status, "Set it back" in question) == (409, False)
    assert f"{label}: only the application sets it" in question
    name = next(iter(values))
    assert account(office, key)[name] == values[name]


def test_undo_names_what_it_leaves(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    office.write(lambda: set_by_staff(key, name="Purse", approved=True, score="good", verdict="fine"))
    question, status, after = undo(office, MIA, office.last())
    assert status == 303
    assert "Approved: only the application sets it" in question
    assert "Values that you may not read" in question
    assert "core" not in question.split("<main")[1]
    assert "Left as it is: Approved, values that you may not read." in after
    found = account(office, key)
    assert (found["name"], found["approved"], found["score"], found["verdict"]) == ("Savings", True, "good", "fine")


def test_effect_is_not_undone_alone(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    office.write(lambda: accounts.pay_in(db.session.get_one(Account, key), 5), TOM)
    change = office.last()
    assert change.is_effect
    question, status, _ = undo(office, MIA, change)
    assert (status, "Set it back" in question) == (409, False)
    assert "part of something else" in question
    assert (account(office, key)["balance"], account(office, key)["points"]) == (5, 1)
    assert f"/history/changes/{change.id}/undo" not in office.client(MIA).get(f"/history/rows/bank_account/{key}").text


def test_form_value_is_set_back(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    office.change(key, Account, who=MIA, points=5)
    assert undo(office, MIA, office.last())[1] == 303
    assert account(office, key)["points"] == 0


def test_deleted_row_returns_without_unwritable_columns(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings", memo="Mine")
    made_at = account(office, key)["created_at"]
    office.write(lambda: set_by_staff(key, approved=True, balance=7, score="good"))
    office.delete(key, Account, who=MIA)
    question, status, after = undo(office, MIA, office.last())
    assert status == 303
    assert "Balance: only the application sets it" in question
    assert "Left as it is: Approved, Balance, values that you may not read." in after
    found = account(office, key)
    assert (found["name"], found["memo"], found["owner_key"]) == ("Savings", "Mine", "mia-key")
    assert (found["created_at"], found["approved"], found["balance"], found["score"]) == (made_at, False, 0, None)


def test_older_deletion_is_not_undone(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    office.delete(key, Account, who=MIA)
    older = office.last()
    undo(office, MIA, older)
    office.write(lambda: set_by_staff(key, owner_key="tom-key"))
    office.delete(key, Account, who=TOM)
    question, status, _ = undo(office, MIA, older)
    assert (status, "undo its last deletion" in question) in ((403, False), (409, True))
    question, status, _ = undo(office, TOM, older)
    assert (status, "undo its last deletion" in question) == (409, True)
    assert office.read(key, Account) is None


def test_undo_leaves_unreadable_reference(office: Office) -> None:
    contract = office.add(Contract, who=TOM, name="Gold")
    key = office.add(Account, who=MIA, name="Savings")
    office.write(lambda: set_by_staff(key, contract_id=contract, name="Purse"))
    office.change(key, Account, who=MIA, name="Chest", contract_id=None)
    question, status, after = undo(office, MIA, office.last())
    assert status == 303
    assert "Contract: it leads to a row that is gone or that you may not read" in question
    assert "Left as it is: Contract." in after
    assert (account(office, key)["contract_id"], account(office, key)["name"]) == (None, "Purse")


def test_deleted_row_returns_without_hidden_reference(office: Office) -> None:
    contract = office.add(Contract, who=TOM, name="Gold")
    key = office.add(Account, who=MIA, name="Savings")
    office.write(lambda: set_by_staff(key, contract_id=contract))
    office.delete(key, Account, who=MIA)
    question, status, _ = undo(office, MIA, office.last())
    assert (status, "Contract: it leads to a row" in question) == (303, True)
    assert account(office, key)["contract_id"] is None


def test_unreadable_links_are_kept(office: Office) -> None:
    gold, own, other = (
        office.add(Contract, who=TOM, name="Gold"),
        office.add(Contract, who=MIA, name="Own"),
        office.add(Contract, who=TOM, name="Other"),
    )
    key = office.add(Account, who=MIA, name="Savings")
    office.write(lambda: _link(key, own, gold))
    office.write(lambda: _link(key, other))
    question, status, after = undo(office, MIA, office.last())
    assert status == 303
    assert "Contracts: without rows that are gone or that you may not read" in question
    assert "Left as it is: Contracts." in after
    with office.app.app_context():
        assert [one.id for one in db.session.get_one(Account, key).contracts] == [own, other]


def _link(key: int, *contracts: int) -> None:
    db.session.get_one(Account, key).contracts = [db.session.get_one(Contract, one) for one in contracts]


def test_created_row_changed_by_staff_stays(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    created = office.last()
    office.write(lambda: set_by_staff(key, score="good"))
    question, status, _ = undo(office, MIA, created)
    assert (status, "changed since" in question, "core" in question.split("<main")[1]) == (409, True, False)


@pytest.mark.parametrize("verb", ["create", "delete"])
def test_row_of_effect_is_not_undone(office: Office, verb: str) -> None:
    def work() -> int:
        with unchecked():
            item = accounts.create({"name": "Interest", "owner_key": "mia-key"})
            key: int = item.id
            if verb == "delete":
                accounts.delete(item)
            return key

    key = office.write(work, TOM)
    question, status, _ = undo(office, MIA, office.last())
    assert (status, "part of something else" in question) == (409, True)
    assert (office.read(key, Account) is None) == (verb == "delete")


def test_refusal_names_no_hidden_column(office: Office) -> None:
    key = office.add(Parcel, who=MIA, name="Ring", branch="Mia")
    office.delete(key, Parcel, who=MIA)
    question, status, page = undo(office, MIA, office.last())
    assert status == 409
    assert "A value is missing." in page
    assert "ranch" not in (question + page).split("<main")[1]

"""The reader's rights decide what a history shows, column by column and row by row, on every face."""

import pytest

from app.history.models import Change
from core.access import Identity
from services import db
from tests.history.bank import Account
from tests.history.bank import Contract
from tests.history.bank import Parcel
from tests.history.bank import set_by_staff
from tests.history.conftest import Office

ADD = frozenset({"bank.account.add", "bank.parcel.edit"})

#: Mia and Tom own what they add; Stan edits all; Rut only reads the history, Aud is an auditor of the bank, too.
MIA = Identity("mia-key", "Mia", ADD, via="session")
TOM = Identity("tom-key", "Tom", ADD, via="session")
STAN = Identity("stan-key", "Stan", ADD | {"bank.account.edit"}, via="session")
RUT = Identity("rut-key", "Rut", frozenset({"history.change.read"}), via="session")
AUD = Identity("aud-key", "Aud", frozenset({"history.change.read", "bank.account.audit"}), via="session")


def pages_of(office: Office, who: Identity, key: int, table: str = "bank_account") -> str:
    """Return all that the faces of the history show one person of a row."""
    client = office.client(who)
    paths = [f"/history/rows/{table}/{key}", "/history/changes", "/history/api/v1/changes"]
    paths += [f"/history/changes/{one.id}/undo" for one in office.changes()]
    paths += [f"/history/api/v1/changes/{one.id}" for one in office.changes()]
    return "".join(client.get(path).text for path in paths)


@pytest.mark.parametrize("is_gone", [False, True])
@pytest.mark.parametrize("who", [MIA, STAN, RUT, AUD])
def test_hidden_column_is_shown_nowhere(office: Office, who: Identity, is_gone: bool) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    office.write(lambda: set_by_staff(key, score="risky", name="Purse"))
    if is_gone:
        office.delete(key, Account, who=STAN)
    page = pages_of(office, who, key)
    assert "Purse" in page
    for text in ("risky", "score", "Score", "owner_key", "mia-key&", "Owner key"):
        assert text not in page


@pytest.mark.parametrize(("who", "is_shown"), [(MIA, False), (STAN, False), (RUT, False), (AUD, True)])
def test_column_policy_holds_in_the_history(office: Office, who: Identity, is_shown: bool) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    office.write(lambda: set_by_staff(key, verdict="doubtful"))
    office.write(lambda: set_by_staff(key, verdict="trusted", name="Purse"))
    page = pages_of(office, who, key)
    assert ("doubtful" in page, "trusted" in page, "erdict" in page) == (is_shown,) * 3


def test_title_of_gone_row_stays_hidden(office: Office) -> None:
    key = office.add(Parcel, who=MIA, name="Ring", branch="Mia")
    office.delete(key, Parcel, who=MIA)
    page = office.client(MIA).get(f"/history/rows/bank_parcel/{key}").text
    assert "History of Ring" in page
    assert "Branch" not in page


@pytest.mark.parametrize(("who", "is_shown"), [(MIA, False), (RUT, True)])
def test_gone_column_needs_history_permission(office: Office, who: Identity, is_shown: bool) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    values = {"model": "bank_account", "row_key": str(key), "verb": "update"}
    office.write(lambda: db.session.add(Change(**values, before={"iban": "ES12"}, after={"iban": "ES34"})))
    assert ("ES12" in pages_of(office, who, key)) == is_shown


def test_column_made_secret_is_hidden(office: Office) -> None:
    key = office.add(title="Rent")
    values = {"model": "ledger_entry", "row_key": str(key), "verb": "update"}
    office.write(lambda: db.session.add(Change(**values, before={"pin": "hunter1"}, after={"pin": "hunter2"})))
    page = pages_of(office, RUT, key, "ledger_entry")
    assert "hunter" not in page
    assert "a secret, which is not kept" in page
    body = office.client(RUT).get(f"/history/api/v1/changes/{office.last().id}").json
    assert (body["hidden"], body["before"], body["after"]) == (["pin"], {}, {})


def test_hidden_row_has_no_history(office: Office) -> None:
    key = office.add(Parcel, who=MIA, name="Ring", branch="Mia")
    assert office.client(MIA).get(f"/history/rows/bank_parcel/{key}").status_code == 200
    for who in (TOM, RUT):
        assert office.client(who).get(f"/history/rows/bank_parcel/{key}").status_code == 404
        assert office.client(who).get(f"/history/changes/{office.last().id}/undo").status_code == 404
    assert "Ring" not in pages_of(office, RUT, key)


def test_gone_hidden_row_is_withheld(office: Office) -> None:
    key = office.add(Parcel, who=MIA, name="Ring", branch="Mia")
    office.delete(key, Parcel, who=MIA)
    assert office.client(MIA).get(f"/history/rows/bank_parcel/{key}").status_code == 200
    assert office.client(TOM).get(f"/history/rows/bank_parcel/{key}").status_code == 404
    body = office.client(RUT).get("/history/api/v1/changes?model=bank_parcel").json["items"]
    assert [(one["verb"], one["before"], one["after"]) for one in body] == [("delete", {}, None), ("create", None, {})]
    assert "Ring" not in office.client(RUT).get("/history/changes").text


def test_unreadable_row_is_not_named(office: Office) -> None:
    contract = office.add(Contract, who=TOM, name="Tom's gold")
    key = office.add(Account, who=MIA, name="Savings")
    office.write(lambda: set_by_staff(key, contract_id=contract, contracts=[db.session.get_one(Contract, contract)]))
    assert "gold" not in pages_of(office, MIA, key)
    page = office.client(MIA).get(f"/history/rows/bank_account/{key}").text
    assert "1 more" in page


def test_change_of_hidden_columns_shown(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    office.write(lambda: set_by_staff(key, score="risky"))
    page = office.client(MIA).get(f"/history/rows/bank_account/{key}").text
    assert "What has changed is not for you to read" in page


def test_history_needs_read_permission(sqlite_office: Office) -> None:
    key = sqlite_office.add(Contract, who=TOM, name="Gold")
    editor = Identity("ed-key", "Ed", frozenset({"bank.account.edit"}), via="session")
    for who in (editor, MIA):
        there, never = (sqlite_office.client(who).get(f"/history/rows/bank_contract/{one}") for one in (key, key + 1))
        assert (there.status_code, never.status_code) == (404, 404)
        assert sqlite_office.client(who).get(f"/history/changes/{sqlite_office.last().id}/undo").status_code == 404
    assert sqlite_office.client(TOM).get(f"/history/rows/bank_contract/{key}").status_code == 200

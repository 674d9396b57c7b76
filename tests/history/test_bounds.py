"""Bounds of recorded, read and shown long values: bytes, memory, and statements."""

import html
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from app.history import bounds
from core.http.json import dump_bytes
from services import db
from tests.history.bank import Account
from tests.history.bank import Contract
from tests.history.bank import set_by_staff
from tests.history.conftest import Office
from tests.history.test_sight import AUD
from tests.history.test_sight import MIA
from tests.history.test_sight import RUT
from tests.history.test_writable import undo

LONG = 900_000
MOST = 262_144


def peak(work: Callable[[], Any]) -> tuple[Any, int]:
    """Return what a function gives, and the most bytes that Python held meanwhile."""
    tracemalloc.start()
    try:
        found = work()
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def edit(office: Office, key: int, times: int) -> None:
    """Change a long memo so many times."""
    for number in range(times):
        office.change(key, Account, who=MIA, memo=str(number % 10) * LONG)


@pytest.mark.parametrize("most", [MOST, 100_000_000])
def test_history_of_long_edits_is_short(office: Office, most: int) -> None:
    # The second is what older releases have recorded.
    office.app.config["HISTORY_CHANGE_BYTES"] = most
    key = office.add(Account, who=MIA, name="Savings")
    edit(office, key, 30)
    paths = [f"/history/rows/bank_account/{key}", "/history/changes", "/history/api/v1/changes?limit=100"]
    paths += [f"/bank/accounts/{key}", f"/history/changes/{office.last().id}"]
    for who in (MIA, RUT):
        client = office.client(who)
        for path in paths:
            client.get(path)
            answer, held = peak(lambda path=path, client=client: client.get(path))
            assert answer.status_code in (200, 403)
            assert len(answer.data) < 200_000
            assert held < 12_000_000, path


def test_long_value_is_cut_and_named(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    office.change(key, Account, who=MIA, name="Purse", memo="x" * LONG)
    change = office.last()
    assert (change.before, change.after, change.cut) == ({"name": "Savings"}, {"name": "Purse"}, ["memo"])
    page = office.client(MIA).get(f"/history/rows/bank_account/{key}").text
    assert "too long to be kept" in page
    assert office.client(RUT).get(f"/history/api/v1/changes/{change.id}").json["cut"] == ["memo"]


def test_undo_leaves_what_is_not_kept(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings")
    office.change(key, Account, who=MIA, name="Purse", memo="x" * LONG)
    question, status, after = undo(office, MIA, office.last())
    assert status == 303
    assert "Memo: it is too long to be kept" in question
    assert "Left as it is: Memo." in after
    stored = office.read(key, Account)
    assert stored is not None
    assert (stored["name"], len(stored["memo"])) == ("Savings", LONG)


def test_row_kept_in_part_stays_gone(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings", memo="x" * LONG)
    created = office.last()
    question, status, _ = undo(office, MIA, created)
    assert (status, "too long to be kept: Memo" in question) == (409, True)
    office.delete(key, Account, who=MIA)
    question, status, _ = undo(office, MIA, office.last())
    assert (status, "too long to be kept: Memo" in question) == (409, True)
    assert office.read(key, Account) is None


def test_setting_bounds_a_change(sqlite_office: Office) -> None:
    sqlite_office.app.config["HISTORY_CHANGE_BYTES"] = 1024
    key = sqlite_office.add(title="Rent", body="ü" * 200, data={"a": "x" * 500})
    change = sqlite_office.last()
    assert change.after is not None
    assert (change.cut, change.after["title"]) == (["body"], "Rent")
    assert len(dump_bytes(change.after)) < 1300
    assert key


def test_long_value_is_shown_in_parts(office: Office) -> None:
    text = "".join(f"{number:09}|" for number in range(12_000))
    key = office.add(Account, who=MIA, name="Savings", memo="<old>" + "o" * 400)
    office.change(key, Account, who=MIA, memo=text)
    change = office.last()
    client = office.client(MIA)
    listed = client.get(f"/history/rows/bank_account/{key}").text
    assert f'href="/history/changes/{change.id}"' in listed
    assert "000000100|" not in listed
    shown = client.get(f"/history/changes/{change.id}").text
    assert "&lt;old&gt;oooo" in shown
    (url,) = re.findall(r'href="([^"]*/after/memo)"', shown)
    assert "000000100|" in shown
    assert "000000300|" not in shown
    found = ""
    while url:
        page = client.get(html.unescape(url)).text
        assert len(page) < bounds.PART_CHARACTERS + 20_000
        found += re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)[0]
        url = (re.findall(r'href="([^"]*)" rel="next"', page) or [""])[0]
    assert found == text
    assert client.get(f"/history/changes/{change.id}/before/memo").status_code == 200


@pytest.mark.parametrize(
    "path", ["after/score", "after/verdict", "after/nothing", "after/name?part=2", "before/name", "sideways/name"]
)
def test_unreadable_value_has_no_page(sqlite_office: Office, path: str) -> None:
    key = sqlite_office.add(Account, who=MIA, name="Savings")
    sqlite_office.write(lambda: set_by_staff(key, score="risky", verdict="fine"))
    changes = sqlite_office.changes()
    number = changes[0].id if "name" in path else changes[1].id
    assert sqlite_office.client(MIA).get(f"/history/changes/{number}/{path}").status_code == 404
    if "verdict" in path:
        assert "fine" in sqlite_office.client(AUD).get(f"/history/changes/{number}/{path}").text


@pytest.mark.parametrize("query", ["part=0", "part=x", "part=-1", "part=9999999", "colour=red"])
def test_part_that_is_none_is_refused(sqlite_office: Office, query: str) -> None:
    sqlite_office.add(Account, who=MIA, name="Savings")
    assert (
        sqlite_office.client(MIA).get(f"/history/changes/{sqlite_office.last().id}/after/name?{query}").status_code
        == 400
    )


def test_many_links_are_not_all_named(office: Office) -> None:
    key = office.add(Account, who=MIA, name="Savings")

    def link() -> None:
        account = db.session.get_one(Account, key)
        account.contracts = [Contract(name=f"Contract {number:04}", owner_key="mia-key") for number in range(300)]

    office.write(link)
    client = office.client(MIA)
    page = client.get(f"/history/rows/bank_account/{key}").text
    assert f"Contract {bounds.LISTED_ROWS - 1:04}" in page
    assert f"Contract {bounds.LISTED_ROWS:04}" not in page
    assert "All 300 rows" in page
    (url,) = re.findall(r'href="([^"]*/after/contracts)"', page)
    first = client.get(url).text
    assert "Contract 0199" in first
    assert "Contract 0200" not in first
    assert "Contract 0299" in client.get(f"{url}?part=2").text


def test_names_read_no_long_columns(office: Office) -> None:
    keys = [office.add(Account, who=MIA, name=f"Account {number}", memo="x" * LONG) for number in range(15)]
    client = office.client(RUT)
    client.get("/history/changes")
    answer, held = peak(lambda: client.get("/history/changes"))
    assert f"Account {len(keys) - 1}" in answer.text
    assert held < 6_000_000


def test_page_of_many_values_is_bounded(sqlite_office: Office) -> None:
    for number in range(20):
        sqlite_office.add(title=str(number), data={"a": "y" * 5000}, body="x" * 5000)
    page = sqlite_office.client(RUT).get("/history/changes").data
    assert len(page) < 150_000


def test_length_needs_no_extra_statement(sqlite_office: Office) -> None:
    for number in range(5):
        sqlite_office.add(title=str(number))
    statements: list[str] = []
    with sqlite_office.app.app_context():
        sa.event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    sqlite_office.client(RUT).get("/history/changes")
    assert len(statements) <= 4

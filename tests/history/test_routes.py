"""The pages of the history: who may see what, and the question before a change is taken back."""

import re
from decimal import Decimal

import pytest
import sqlalchemy as sa

from app.history import changes
from app.history.models import Change
from core.access import ANONYMOUS
from core.access import Identity
from core.data.models import now
from services import db
from tests.history.conftest import ANA
from tests.history.conftest import BEN
from tests.history.conftest import EVA
from tests.history.conftest import RUT
from tests.history.conftest import Office
from tests.history.ledger import Entry
from tests.history.ledger import Group
from tests.history.ledger import Label

ALL = "/history/changes"


def row(key: int, table: str = "ledger_entry") -> str:
    return f"/history/rows/{table}/{key}"


def titles(page: str) -> list[str]:
    """Return the headings of the changes on a page."""
    found = re.findall(r"<h2>(.*?)</h2>", page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", one).split()) for one in found]


# --- who may see --------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "status"), [(ANONYMOUS, 401), (ANA, 403), (RUT, 200)])
def test_all_changes_need_permission(sqlite_office: Office, who: Identity, status: int) -> None:
    client = sqlite_office.client(who)
    assert client.get(ALL).status_code == status
    assert client.get("/history/api/v1/changes").status_code == status
    assert ("/history/changes" in client.get("/ledger/entries").text) == (status == 200)


@pytest.mark.parametrize(("who", "status"), [(ANONYMOUS, 401), (BEN, 403), (ANA, 200), (EVA, 200), (RUT, 200)])
@pytest.mark.parametrize("is_gone", [False, True])
def test_row_history_for_owner_and_editors(sqlite_office: Office, who: Identity, status: int, is_gone: bool) -> None:
    key = sqlite_office.add(title="Rent", who=ANA)
    if is_gone:
        sqlite_office.delete(key)
    assert sqlite_office.client(who).get(row(key)).status_code == status
    if not is_gone:
        assert (row(key) in sqlite_office.client(who).get(f"/ledger/entries/{key}").text) == (status == 200)


def test_public_row_hides_its_editors(sqlite_office: Office) -> None:
    key = sqlite_office.add(Label, name="red")
    assert sqlite_office.client().get(row(key, "ledger_label")).status_code == 401
    assert sqlite_office.client(ANA).get(row(key, "ledger_label")).status_code == 403
    assert sqlite_office.client(RUT).get(row(key, "ledger_label")).status_code == 200


@pytest.mark.parametrize("path", [row(9), row(9, "ledger_draft"), row(9, "gone"), "/history/changes/9/undo"])
@pytest.mark.parametrize("who", [RUT, ANA])
def test_what_never_was_has_no_history(sqlite_office: Office, who: Identity, path: str) -> None:
    assert sqlite_office.client(who).get(path).status_code == 404


@pytest.mark.parametrize("key", ["2147483648", "9" * 30, "-" + "9" * 30, "1.5", "٣"])
def test_impossible_key_has_no_history(office: Office, key: str) -> None:
    assert office.client(RUT).get(f"/history/rows/ledger_entry/{key}").status_code == 404


# --- what they show -----------------------------------------------------------------------------


def test_row_history_shows_before_and_after(office: Office) -> None:
    group = office.add(Group, name="House")
    key = office.add(title="Rent", amount=Decimal(5), pin="hunter1")
    office.change(key, title="Lease", group_id=group, pin="hunter2", who=EVA)
    page = office.client(RUT).get(row(key)).text
    assert titles(page) == [f"Updated #{office.last().id}", f"Created #{office.last().id - 1}"]
    assert "History of Lease" in page
    assert "by Eva" in " ".join(page.split())
    assert "Belongs to" in page
    assert f'<a href="/ledger/groups/{group}">House</a>' in page
    assert "a secret, which is not kept" in page
    assert "hunter" not in page


def test_deleted_row_named_by_last_value(office: Office) -> None:
    key = office.add(title="Rent")
    office.delete(key)
    page = office.client(RUT).get(ALL).text
    assert titles(page)[0] == f"Deleted entry Rent #{office.last().id}"
    assert ">Undo<" not in page
    assert "History of Rent" in office.client(RUT).get(row(key)).text


def test_markup_in_a_value_is_text(sqlite_office: Office) -> None:
    key = sqlite_office.add(title="<b onclick=x>")
    sqlite_office.change(key, title="<i>")
    page = sqlite_office.client(RUT).get(row(key)).text
    assert "&lt;b onclick=x&gt;" in page
    assert "<b onclick" not in page


def test_changes_filtered_by_row_user_time(office: Office) -> None:
    office.add(Group, name="House")
    office.add(title="Rent", who=ANA)
    client = office.client(RUT)
    today = f"{now():%Y-%m-%d}"
    assert len(titles(client.get(f"{ALL}?model=&actor=&day=").text)) == 2
    assert "group House" in titles(client.get(f"{ALL}?model=ledger_group").text)[0]
    assert "entry Rent" in titles(client.get(f"{ALL}?actor=An").text)[0]
    assert "entry Rent" in titles(client.get(f"{ALL}?actor_key=ana-key").text)[0]
    assert len(titles(client.get(f"{ALL}?day={today}").text)) == 2
    assert "No change matches" in client.get(f"{ALL}?day=2020-01-31").text


@pytest.mark.parametrize("query", ["day=tomorrow", "day=9999-12-31", "cursor=x", "colour=red", "model=a&model=b"])
def test_invalid_filter_keeps_form(sqlite_office: Office, query: str) -> None:
    answer = sqlite_office.client(RUT).get(f"{ALL}?{query}")
    assert answer.status_code == 400
    assert "The list cannot be shown" in answer.text


def test_pages_follow_one_another(office: Office) -> None:
    key = office.add(title="0")
    for number in range(1, 25):
        office.change(key, title=str(number))
    client = office.client(RUT)
    for start in (ALL, row(key)):
        first = client.get(start).text
        (older,) = re.findall(r'href="([^"]*)" rel="next"', first)
        second = client.get(older.replace("&amp;", "&")).text
        ids = [int(one.rpartition("#")[2]) for one in titles(first) + titles(second)]
        assert ids == sorted((one.id for one in office.changes()), reverse=True)
        (newer,) = re.findall(r'href="([^"]*)" rel="prev"', second)
        assert titles(client.get(newer.replace("&amp;", "&")).text) == titles(first)


def test_changes_page_statement_count_bounded(sqlite_office: Office) -> None:
    keys = [
        sqlite_office.add(title=str(number), group_id=sqlite_office.add(Group, name=f"Group {number}"))
        for number in range(8)
    ]
    client = sqlite_office.client(RUT)
    statements: list[str] = []
    with sqlite_office.app.app_context():
        sa.event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert len(titles(client.get(ALL).text)) == len(keys) * 2
    assert len(statements) <= 5  # BEGIN, the changes, what was taken back, entries, groups


def test_api_lists_changes(office: Office) -> None:
    key = office.add(title="Rent", who=ANA)
    office.change(key, title="Lease")
    answer = office.client(RUT).get(f"/history/api/v1/changes?model=ledger_entry&row_key={key}").json
    assert [one["verb"] for one in answer["items"]] == ["update", "create"]
    assert answer["items"][0]["before"] == {"title": "Rent"}
    assert answer["items"][1]["actor_key"] == "ana-key"
    assert office.client(RUT).delete(f"/history/api/v1/changes/{answer['items'][0]['id']}").status_code == 405


# --- undo ---------------------------------------------------------------------------------------


def _post(office: Office, who: Identity, change: Change) -> tuple[int, str, str]:
    """Ask for the page of an undo, and send its form."""
    client = office.client(who)
    path = f"/history/changes/{change.id}/undo"
    page = client.get(path)
    assert page.status_code == 200
    fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text.split("<main")[1]))
    answer = client.post(path, data=fields)
    return answer.status_code, answer.headers.get("Location", ""), page.text


def test_undo_asks_and_then_does_it(office: Office) -> None:
    key = office.add(title="Rent")
    office.change(key, title="Lease")
    status, target, page = _post(office, EVA, office.last())
    assert (status, target) == (303, f"/ledger/entries/{key}")
    assert "Set it back" in page
    stored = office.read(key)
    assert stored is not None
    assert stored["title"] == "Rent"
    shown = office.client(EVA).get(row(key)).text
    assert f"It took back change {office.changes()[1].id}" in shown
    assert f"It was taken back by change {office.last().id}" in shown
    assert shown.count(">Undo<") == 2


def test_undo_without_csrf_token_refused(sqlite_office: Office) -> None:
    key = sqlite_office.add(title="Rent")
    sqlite_office.change(key, title="Lease")
    assert (
        sqlite_office.client(EVA)
        .post(f"/history/changes/{sqlite_office.last().id}/undo", data={"version": 2})
        .status_code
        == 400
    )
    stored = sqlite_office.read(key)
    assert stored is not None
    assert stored["title"] == "Lease"


def test_undo_of_changed_row_reports_it(office: Office) -> None:
    key = office.add(title="Rent", amount=Decimal(5))
    office.change(key, title="Lease", amount=Decimal(6))
    change = office.last()
    office.change(key, title="Hire")
    status, _, page = _post(office, EVA, change)
    assert "Changed since" in page
    assert "Set the rest back" in page
    assert status == 303
    stored = office.read(key)
    assert stored is not None
    assert (stored["title"], stored["amount"]) == ("Hire", Decimal(5))


def test_undo_during_change_is_conflict(office: Office) -> None:
    key = office.add(title="Rent")
    office.change(key, title="Lease")
    client, path = office.client(EVA), f"/history/changes/{office.last().id}/undo"
    office.app.config["WTF_CSRF_ENABLED"] = False
    office.change(key, amount=Decimal(9))
    answer = client.post(path, data={"version": "2"})
    assert answer.status_code == 409
    assert "The row was changed" in answer.text
    assert 'name="version" value="3"' in answer.text
    office.change(key, title="Hire")
    answer = client.post(path, data={"version": "4"})
    assert answer.status_code == 409
    assert "Hire" in answer.text
    for version in ("", "x", "-1"):
        change = office.changes()[0]
        assert client.post(f"/history/changes/{change.id}/undo", data={"version": version}).status_code in (400, 409)


def test_deleted_row_restored_and_shown(office: Office) -> None:
    key = office.add(title="Rent")
    office.delete(key)
    status, target, page = _post(office, EVA, office.last())
    assert "Bring it back" in page
    assert (status, target) == (303, f"/ledger/entries/{key}")
    status, target, page = _post(office, EVA, office.last())
    assert "Delete it" in page
    assert (status, target) == (303, row(key))
    assert office.read(key) is None


@pytest.mark.parametrize(("who", "status"), [(ANONYMOUS, 401), (BEN, 403), (RUT, 403)])
def test_undo_needs_write_permission(sqlite_office: Office, who: Identity, status: int) -> None:
    sqlite_office.app.config["WTF_CSRF_ENABLED"] = False
    key = sqlite_office.add(title="Rent", who=ANA)
    sqlite_office.change(key, title="Lease", who=ANA)
    path = f"/history/changes/{sqlite_office.last().id}/undo"
    client = sqlite_office.client(who)
    assert client.get(path).status_code == status
    assert client.post(path, data={"version": "2"}).status_code == status
    assert ">Undo<" not in client.get(row(key)).text
    stored = sqlite_office.read(key)
    assert stored is not None
    assert stored["title"] == "Lease"


def test_undo_of_creation_names_consequences(sqlite_office: Office) -> None:
    group = sqlite_office.add(Group, name="House")
    created = sqlite_office.last()
    sqlite_office.add(title="Rent", group_id=group)
    page = sqlite_office.client(EVA).get(f"/history/changes/{created.id}/undo").text
    assert "These prevent the deletion" in page
    assert "1 entry" in page


def test_change_of_removed_model_shown(sqlite_office: Office) -> None:
    sqlite_office.write(
        lambda: db.session.add(Change(model="gone_thing", row_key="1", verb="update", before={"a": 1}, after={"a": 2}))
    )
    page = sqlite_office.client(RUT).get(ALL).text
    assert "gone_thing" in page
    assert sqlite_office.client(RUT).get(row(1, "gone_thing")).status_code == 404


def test_removed_column_left_alone(sqlite_office: Office) -> None:
    key = sqlite_office.add(title="Rent")
    values = {"model": Entry.__tablename__, "row_key": str(key), "verb": "update"}
    sqlite_office.write(lambda: db.session.add(Change(**values, before={"gone": 1}, after={"gone": 2})))
    page = sqlite_office.client(EVA).get(f"/history/changes/{sqlite_office.last().id}/undo")
    assert page.status_code == 200
    assert "nothing to set back" in page.text


# --- pruning ------------------------------------------------------------------------------------


def test_prune_deletes_what_is_older(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "AT_ONCE", 2)
    for number in range(5):
        office.add(Group, name=str(number))
    old = [one.id for one in office.changes()[:3]]
    office.write(
        lambda: (
            db.session.execute(
                sa.update(Change).where(Change.id.in_(old)).values(at=now().replace(year=2020, day=1))
            ).rowcount
        )
    )
    answer = office.app.test_cli_runner().invoke(args=["history", "prune", "--days", "30"])
    assert answer.output == "3 changes deleted.\n"
    assert [one.after["name"] for one in office.changes()] == ["3", "4"]


def test_prune_asks_for_days(sqlite_office: Office) -> None:
    assert sqlite_office.app.test_cli_runner().invoke(args=["history", "prune"]).exit_code == 2

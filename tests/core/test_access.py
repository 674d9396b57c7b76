"""Access control: policies, verbs and all their faces agree."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask import request
from flask.testing import FlaskClient
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

from app.doctor import starting
from core.access import ANONYMOUS
from core.access import OPERATOR
from core.access import PUBLIC
from core.access import SIGNED_IN
from core.access import Identity
from core.access import Policy
from core.access import acting_as
from core.access import any_of
from core.access import endpoints
from core.access import identity
from core.access import permission
from core.access import permissions
from core.access import require
from core.access import set_identity_loader
from core.access import set_role_loader
from core.access import unchecked
from core.access.matrix import matrix
from core.crud import Crud
from core.crud import readers
from core.exceptions import Forbidden
from core.exceptions import Unauthenticated
from core.http.sign_in import sign_in_at
from core.http.sign_in import sign_in_url
from core.modules import ModuleError
from core.rest.rows import RowReader
from services import db
from tests.core import mailroom
from tests.core.mailroom import PEOPLE

Ask = Callable[..., TestResponse]


@pytest.fixture
def app(make_app: Callable[..., Flask], new_database: Callable[[str], URL]) -> Flask:
    """Return an application of the mailroom; the header ``X-Who`` says who asks."""
    url = new_database("sqlite")
    engine = sa.create_engine(url)
    mailroom.Base.metadata.create_all(engine)
    engine.dispose()
    app = make_app(url, ["app.bulk", mailroom.__name__], WTF_CSRF_ENABLED=False)
    set_identity_loader(app, lambda: PEOPLE.get(request.headers.get("X-Who", ""), ANONYMOUS))
    return app


@pytest.fixture
def request_as(app: Flask) -> Ask:
    """Ask as a member: ``ask("ann", "POST", "/mailroom/v1/letters", json={…})``."""
    client = app.test_client()

    def send(who: str, method: str, url: str, **more: Any) -> TestResponse:
        headers = {"X-Who": who, **more.pop("headers", {})}
        return client.open(url, method=method, headers=headers, **more)

    return send


@pytest.fixture
def letters(app: Flask) -> dict[str, int]:
    """Store a letter of Ann's and one of Bob's, each with a note, in a project; return their ids."""
    with app.app_context():
        project = mailroom.Project(name="Iron")
        rows = {who: mailroom.Letter(title=f"Of {who}", owner_key=who, project=project) for who in ("ann", "bob")}
        for who, letter in rows.items():
            letter.notes.append(mailroom.Note(text=f"On {who}", project=project))
            db.session.add(letter)
        db.session.commit()
        return {who: letter.id for who, letter in rows.items()}


def titles(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return sorted(item["title"] for item in answer.json["items"])


# --- policies -----------------------------------------------------------------------------------

EDIT = permission("mailroom.letter.edit", owner="owner_key")
ANN, BOB = PEOPLE["ann"], PEOPLE["bob"]


class Row:
    owner_key = "ann"


@pytest.mark.parametrize(
    ("policy", "who", "item", "may"),
    [
        (PUBLIC, ANONYMOUS, None, True),
        (SIGNED_IN, ANONYMOUS, None, False),
        (SIGNED_IN, ANN, None, True),
        (SIGNED_IN, PEOPLE["robot"], None, False),
        (EDIT, ANONYMOUS, None, False),
        (EDIT, ANONYMOUS, type("Nobodys", (), {"owner_key": None})(), False),
        (EDIT, ANN, None, True),
        (EDIT, ANN, Row(), True),
        (EDIT, BOB, Row(), False),
        (EDIT, PEOPLE["secretary"], Row(), True),
        (EDIT, PEOPLE["robot"], Row(), False),
        (permission("mailroom.project.open"), BOB, None, False),
        (any_of([EDIT, permission("mailroom.project.open")]), ANN, None, True),
        (any_of([permission("mailroom.letter.write"), permission("mailroom.project.open")]), BOB, None, False),
    ],
)
def test_policy_allows(policy: Any, who: Identity, item: Any, may: bool) -> None:
    assert policy.allows(who, item) is may


def test_any_of_open_if_one_is() -> None:
    assert any_of([EDIT, None]) is None
    assert any_of([EDIT, PUBLIC]) is PUBLIC
    assert any_of([EDIT, EDIT]) is EDIT


OWN = permission("mailroom.letter.read", owner="owner_key")
AUDIT = mailroom.OPEN


@pytest.mark.parametrize(
    ("policy", "who", "seen"),
    [
        (any_of([OWN, AUDIT]), "ann", {"ann"}),
        (any_of([AUDIT, OWN]), "bob", {"bob"}),
        (any_of([OWN, AUDIT]), "secretary", {"ann", "bob"}),
        (any_of([any_of([OWN, AUDIT]), permission("mailroom.letter.write")]), "ann", {"ann", "bob"}),
        (any_of([any_of([OWN, AUDIT]), permission("mailroom.letter.write")]), "bob", {"bob"}),
        (any_of([OWN, EDIT]), "bob", {"bob"}),
    ],
)
def test_any_of_joins_owner_conditions(
    app: Flask, letters: dict[str, int], policy: Any, who: str, seen: set[str]
) -> None:
    verbs = type("Combined", (Crud,), {"model": mailroom.Letter, "access": {"list": policy, "get": policy}})()
    with app.test_request_context(), acting_as(PEOPLE[who]):
        assert {item.owner_key for item in verbs.list().items} == seen
        assert verbs.count() == len(seen)
        assert {item.owner_key for item in db.session.scalars(verbs.visible("get"))} == seen


class Odd(Policy):
    reason = "odd"
    knows_owners = True

    def allows(self, who: Identity, item: Any = None) -> bool:
        return True


@pytest.mark.parametrize("policy", [Odd(), any_of([OWN, Odd()])])
def test_policy_without_condition_fails_at_start(policy: Any) -> None:
    with pytest.raises(TypeError, match="depends on the row"):
        type("Combined", (Crud,), {"model": mailroom.Letter, "access": {"list": policy}})()


@pytest.mark.parametrize("name", ["edit", "shop.edit", "Shop.order.edit", "shop.order.edit ", "shop.a b.c", "a." * 99])
def test_permission_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be <module>"):
        permission(name)


def test_require_distinguishes_anonymous_from_known(app: Flask) -> None:
    with app.test_request_context():
        with acting_as(ANONYMOUS), pytest.raises(Unauthenticated):
            require(EDIT)
        with acting_as(BOB), pytest.raises(Forbidden, match=r"mailroom\.letter\.edit"):
            require(EDIT, Row())


def test_permissions_are_those_of_installed_modules(app: Flask) -> None:
    permission("elsewhere.thing.do")
    assert permissions(app) == [
        "mailroom.letter.edit",
        "mailroom.letter.read",
        "mailroom.letter.write",
        "mailroom.project.open",
    ]


def test_impossible_access_refused() -> None:
    with pytest.raises(TypeError, match="access names destroy"):
        type("Odd", (Crud,), {"model": mailroom.Project, "access": {"destroy": PUBLIC}})()
    with pytest.raises(TypeError, match="Project has no attribute owner_key"):
        type("Odd", (Crud,), {"model": mailroom.Project, "access": {"update": EDIT}})()


# --- who is asking ------------------------------------------------------------------------------


def test_command_may_do_everything(app: Flask, letters: dict[str, int]) -> None:
    with app.app_context():
        assert identity() is OPERATOR
        item = mailroom.letters.get(letters["bob"])
        assert mailroom.letters.update(item, {"title": "New"}).title == "New"
        assert mailroom.letters.create({"title": "Ours"}).owner_key is None


def test_identity_loaded_once_per_request(app: Flask) -> None:
    asked: list[int] = []
    set_identity_loader(app, lambda: asked.append(1) or ANN)
    app.add_url_rule("/thrice", "thrice", lambda: f"{identity().key} {identity().key} {identity().key}")
    client = app.test_client()
    assert client.get("/thrice").text == "ann ann ann"
    assert client.get("/mailroom/v1/notes").status_code == 200
    assert len(asked) == 1


def test_anonymous_request_is_no_operator(make_app: Callable[..., Flask]) -> None:
    app = make_app(None, [])
    app.add_url_rule("/who", "who", lambda: repr(identity() == ANONYMOUS))
    assert app.test_client().get("/who").text == "True"


def test_unchecked_lets_pass_and_ends(app: Flask, letters: dict[str, int]) -> None:
    with app.test_request_context(), acting_as(BOB):
        with unchecked():
            require(mailroom.OPEN)
            assert mailroom.letters.count() == 2
        with pytest.raises(Forbidden):
            require(mailroom.OPEN)


# --- rest ---------------------------------------------------------------------------------------


def test_rest_checks_access_before_body(request_as: Ask) -> None:
    answer = request_as("", "POST", "/mailroom/v1/letters", data="{", content_type="text/html")
    assert (answer.status_code, answer.json["type"]) == (401, "/problems/unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Andamio"'
    assert request_as("bob", "POST", "/mailroom/v1/letters", data="{").status_code == 403


def test_rest_creates_for_its_owner(request_as: Ask, app: Flask) -> None:
    answer = request_as("ann", "POST", "/mailroom/v1/letters", json={"title": "Mine"})
    assert answer.status_code == 201, answer.text
    assert "owner_key" not in answer.json
    with app.app_context():
        assert db.session.get(mailroom.Letter, answer.json["id"]).owner_key == "ann"


def test_owner_not_settable_by_callers(request_as: Ask) -> None:
    answer = request_as("ann", "POST", "/mailroom/v1/letters", json={"title": "Mine", "owner_key": "bob"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("who", "whose", "status"),
    [("ann", "ann", 200), ("ann", "bob", 404), ("bob", "bob", 200), ("secretary", "bob", 200), ("", "ann", 401)],
)
def test_rest_owner_edits_row(request_as: Ask, letters: dict[str, int], who: str, whose: str, status: int) -> None:
    answer = request_as(
        who, "PATCH", f"/mailroom/v1/letters/{letters[whose]}", json={"title": "X"}, headers={"If-Match": '"1"'}
    )
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("who", "status"), [("ann", 404), ("bob", 204), ("secretary", 204), ("", 401)])
def test_rest_owner_deletes_row(request_as: Ask, app: Flask, who: str, status: int) -> None:
    with app.app_context():
        db.session.add(mailroom.Letter(id=9, title="Nine", owner_key="bob"))
        db.session.commit()
    assert request_as(who, "DELETE", "/mailroom/v1/letters/9", headers={"If-Match": '"1"'}).status_code == status


@pytest.mark.parametrize(
    ("who", "seen"), [("ann", ["Of ann"]), ("bob", ["Of bob"]), ("secretary", ["Of ann", "Of bob"])]
)
def test_rest_lists_readable_rows(request_as: Ask, letters: dict[str, int], who: str, seen: list[str]) -> None:
    answer = request_as(who, "GET", "/mailroom/v1/letters?count=true")
    assert titles(answer) == seen
    assert answer.json["total"] == len(seen)
    assert titles(request_as(who, "GET", "/mailroom/v1/letters?fields=title")) == seen


def test_rest_hides_all_from_visitors(request_as: Ask, letters: dict[str, int]) -> None:
    assert request_as("", "GET", "/mailroom/v1/letters").status_code == 401
    assert request_as("", "HEAD", "/mailroom/v1/letters").status_code == 401
    assert request_as("bob", "GET", "/mailroom/v1/projects").status_code == 403
    assert request_as("", "OPTIONS", "/mailroom/v1/letters").status_code == 200


@pytest.mark.parametrize(
    ("who", "path", "kept"),
    [
        ("ann", "letters", "no-store"),
        ("ann", "letters/1", "no-store"),
        ("robot", "letters", "no-store"),
        ("ann", "notes", "private, no-cache"),
        ("", "notes/1", "private, no-cache"),
        ("secretary", "notes?include=project", "no-store"),
    ],
)
def test_private_answer_not_cached(request_as: Ask, letters: dict[str, int], who: str, path: str, kept: str) -> None:
    first = request_as(who, "GET", f"/mailroom/v1/{path}")
    again = request_as(who, "GET", f"/mailroom/v1/{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, first.headers["Cache-Control"]) == (200, kept)
    assert (again.status_code, again.headers["Cache-Control"]) == (304, kept)


def test_token_must_cover_the_permission(request_as: Ask, letters: dict[str, int]) -> None:
    assert request_as("robot", "GET", f"/mailroom/v1/letters/{letters['ann']}").status_code == 200
    answer = request_as(
        "robot", "PATCH", f"/mailroom/v1/letters/{letters['ann']}", json={}, headers={"If-Match": '"1"'}
    )
    assert (answer.status_code, answer.json["type"]) == (403, "/problems/forbidden")
    seen = 'Bearer realm="Andamio", error="insufficient_scope", scope="mailroom.letter.edit"'
    assert answer.headers["WWW-Authenticate"] == seen


def test_forbidden_without_token_no_challenge(request_as: Ask) -> None:
    answer = request_as("bob", "POST", "/mailroom/v1/letters", json={})
    assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (403, None)
    assert answer.json["detail"] == "This takes the permission mailroom.letter.write."


def test_bulk_checks_policy_per_operation(request_as: Ask, letters: dict[str, int]) -> None:
    operations = [
        {"method": "create", "data": {"title": "New"}},
        {"method": "update", "key": letters["ann"], "version": 1, "data": {"title": "Mine"}},
        {"method": "update", "key": letters["bob"], "version": 1, "data": {"title": "His"}},
    ]
    results = request_as("ann", "POST", "/mailroom/v1/letters:bulk", json={"operations": operations}).json["results"]
    assert [one["status"] for one in results] == [201, 200, 404]
    results = request_as("bob", "POST", "/mailroom/v1/letters:bulk", json={"operations": operations[:1]}).json[
        "results"
    ]
    assert [one["status"] for one in results] == [403]
    assert request_as("", "POST", "/mailroom/v1/letters:bulk", json={"operations": operations}).status_code == 401


# --- what is shown with other rows --------------------------------------------------------------


def test_include_checks_related_verbs(request_as: Ask, letters: dict[str, int]) -> None:
    assert request_as("", "GET", "/mailroom/v1/notes?include=project").status_code == 401
    assert request_as("bob", "GET", "/mailroom/v1/notes?include=project").status_code == 403
    assert request_as("bob", "GET", "/mailroom/v1/notes/1?include=project").status_code == 403
    shown = request_as("secretary", "GET", "/mailroom/v1/notes?include=project").json["items"]
    assert {item["project"]["name"] for item in shown} == {"Iron"}


@pytest.mark.parametrize(("who", "count"), [("ann", 1), ("robot", 1), ("secretary", 2)])
def test_rows_narrowed_to_readable(app: Flask, letters: dict[str, int], who: str, count: int) -> None:
    with app.test_request_context(), acting_as(PEOPLE[who]):
        assert len(db.session.scalars(readers.narrow(sa.select(mailroom.Letter), mailroom.Letter)).all()) == count


def test_unserved_model_uses_first_verbs(make_app: Callable[..., Flask]) -> None:
    class Others(Crud):
        model = mailroom.Project

    others = Others()
    with make_app(None, []).app_context():
        assert readers.policy_of(others.model) is mailroom.OPEN


def test_include_shows_readable_rows(request_as: Ask, letters: dict[str, int]) -> None:
    def included(who: str) -> dict[str, Any]:
        items = request_as(who, "GET", "/mailroom/v1/notes?include=letter").json["items"]
        return {item["text"]: item["letter"] and item["letter"]["title"] for item in items}

    assert included("ann") == {"On ann": "Of ann", "On bob": None}
    assert included("secretary") == {"On ann": "Of ann", "On bob": "Of bob"}
    assert request_as("", "GET", "/mailroom/v1/notes?include=letter").status_code == 401


@pytest.mark.parametrize("query", ["letter.title__startswith=Of", "sort=-letter.title", "project.name=Iron"])
@pytest.mark.parametrize("path", ["/mailroom/v1/notes", "/mailroom/notes"])
def test_related_filters_need_their_policy(request_as: Ask, letters: dict[str, int], path: str, query: str) -> None:
    accept = {"Accept": "application/json" if "v1" in path else "text/html"}
    status = {
        who: request_as(who, "GET", f"{path}?{query}", headers=accept).status_code for who in ("", "ann", "secretary")
    }
    assert status == {"": 401, "ann": 403 if "project" in query else 200, "secretary": 200}


@pytest.mark.parametrize(
    ("who", "texts"), [("ann", ["On ann"]), ("bob", ["On bob"]), ("secretary", ["On ann", "On bob"])]
)
def test_related_filters_see_own_rows(request_as: Ask, letters: dict[str, int], who: str, texts: list[str]) -> None:
    items = request_as(who, "GET", "/mailroom/v1/notes?letter.title__startswith=Of&sort=text").json["items"]
    assert [item["text"] for item in items] == texts


def test_sort_by_hidden_rows_is_last(request_as: Ask, letters: dict[str, int]) -> None:
    first = request_as("bob", "GET", "/mailroom/v1/notes?sort=letter.title&limit=1")
    assert [item["text"] for item in first.json["items"]] == ["On bob"]
    cursor = first.json["links"]["next"]
    assert b"Of ann" not in base64.urlsafe_b64decode(cursor.partition("cursor=")[2].partition("&")[0] + "==")
    assert [item["text"] for item in request_as("bob", "GET", cursor).json["items"]] == ["On ann"]


@pytest.mark.parametrize(("who", "count"), [("", 0), ("ann", 0), ("secretary", 2)])
def test_search_skips_rows_of_others(request_as: Ask, letters: dict[str, int], who: str, count: int) -> None:
    assert len(request_as(who, "GET", "/mailroom/v1/notes?q=iron").json["items"]) == count


def test_list_loads_only_named_rows(request_as: Ask, letters: dict[str, int]) -> None:
    assert request_as("", "GET", "/mailroom/v1/notes?sort=-text&project_id=1&count=true").status_code == 200


def test_public_rows_included_for_everyone(request_as: Ask, letters: dict[str, int]) -> None:
    shown = request_as("ann", "GET", f"/mailroom/v1/letters/{letters['ann']}?include=notes").json
    assert [note["text"] for note in shown["notes"]] == ["On ann"]


def test_page_hides_related_rows(request_as: Ask, letters: dict[str, int]) -> None:
    public = request_as("", "GET", "/mailroom/notes").text
    assert "On ann" in public
    assert "Of ann" not in public
    assert "Iron" not in public
    own = request_as("ann", "GET", "/mailroom/notes").text
    assert "Of ann" in own
    assert "Of bob" not in own
    assert "Iron" not in own
    every = request_as("secretary", "GET", "/mailroom/notes").text
    assert "Of ann" in every
    assert "Of bob" in every
    assert "Iron" in every


def test_filter_offers_listable_rows(request_as: Ask, letters: dict[str, int]) -> None:
    assert ">Iron</option>" not in request_as("ann", "GET", "/mailroom/notes").text
    assert ">Iron</option>" in request_as("secretary", "GET", "/mailroom/notes").text


def test_form_offers_listable_rows(request_as: Ask, letters: dict[str, int]) -> None:
    assert "Iron" not in request_as("ann", "GET", "/mailroom/letters/new").text
    assert "Iron" in request_as("secretary", "GET", "/mailroom/letters/new").text


# --- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["", "/edit", "/delete"])
def test_row_pages_need_policy(request_as: Ask, letters: dict[str, int], page: str) -> None:
    url = f"/mailroom/letters/{letters['ann']}{page}"
    assert request_as("ann", "GET", url).status_code == 200
    assert request_as("secretary", "GET", url).status_code == 200
    assert request_as("bob", "GET", url).status_code == 404
    assert request_as("", "GET", url).status_code == 401


def test_buttons_need_policy(request_as: Ask, letters: dict[str, int]) -> None:
    own = request_as("ann", "GET", "/mailroom/letters").text
    assert "/mailroom/letters/new" in own
    assert "/mailroom/letters/new" not in request_as("bob", "GET", "/mailroom/letters").text
    assert "/edit" in request_as("bob", "GET", f"/mailroom/letters/{letters['bob']}").text


def test_page_saves_for_the_owner_only(request_as: Ask, letters: dict[str, int]) -> None:
    url = f"/mailroom/letters/{letters['ann']}/edit"
    form = {"title": "Changed", "version": "1"}
    assert request_as("bob", "POST", url, data=form).status_code == 404
    assert request_as("", "POST", url, data=form).status_code == 401
    assert request_as("ann", "POST", url, data=form).status_code == 303


# --- endpoints and answers ----------------------------------------------------------------------


def test_view_declares_its_policy(request_as: Ask) -> None:
    assert request_as("", "GET", "/mailroom/inbox").status_code == 401
    assert request_as("", "POST", "/mailroom/inbox").status_code == 401
    assert request_as("ann", "GET", "/mailroom/inbox").text == "open"
    assert request_as("", "GET", "/mailroom/imprint").text == "green"


def test_undeclared_method_uses_blueprint_policy(request_as: Ask) -> None:
    assert [request_as("", method, "/mailroom/closed/upload").status_code for method in ("GET", "POST")] == [401, 200]


def test_allowed_methods_public(request_as: Ask) -> None:
    answer = request_as("", "OPTIONS", "/mailroom/v1/letters")
    assert (answer.status_code, sorted(answer.allow)) == (200, ["GET", "HEAD", "OPTIONS", "POST"])


def test_head_needs_policy_of_get(request_as: Ask) -> None:
    assert [request_as(who, "HEAD", "/mailroom/outbox").status_code for who in ("", "ann")] == [401, 200]


def test_blueprint_declares_for_its_views(request_as: Ask) -> None:
    assert request_as("", "GET", "/mailroom/closed/archive").status_code == 401
    assert request_as("ann", "GET", "/mailroom/closed/archive").text == "warm"
    assert request_as("", "GET", "/mailroom/closed/hours").text == "bright"


def test_memo_resource_declares_by_method(request_as: Ask) -> None:
    assert request_as("", "GET", "/mailroom/v1/health").json == {"is_up": False}
    assert request_as("", "POST", "/mailroom/v1/health").status_code == 401
    assert request_as("ann", "POST", "/mailroom/v1/health").json == {"is_up": True}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/mailroom/a%20b/%C3%BC%3F?q=1", "/in?next=/mailroom/a%2520b/%25C3%25BC%253F?q%3D1"),
        # Some proxies would decode them: there is no way back to what may become an address.
        ("/mailroom/a%5Cb", "/in"),
        ("/mailroom/inbox?q=" + "a" * 3000, "/in"),
    ],
)
def test_return_path_validated(app: Flask, path: str, expected: str) -> None:
    app.add_url_rule("/in", "in", lambda: "who are you?")
    sign_in_at(app, "in")
    with app.test_request_context(path):
        assert sign_in_url() == expected


def test_page_redirects_to_sign_in(request_as: Ask, app: Flask) -> None:
    app.add_url_rule("/in", "in", lambda: "who are you?")
    sign_in_at(app, "in")
    answer = request_as("", "GET", "/mailroom/inbox?a=1&b=%26")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/in?next=/mailroom/inbox?a%3D1%26b%3D%2526")
    assert answer.headers["Cache-Control"] == "no-store"
    form = request_as("", "POST", "/mailroom/inbox")
    assert form.status_code == 401
    assert 'href="/in"' in form.text
    assert request_as("", "GET", "/mailroom/v1/letters").status_code == 401
    assert request_as("", "GET", "/mailroom/inbox", headers={"Accept": "application/json"}).status_code == 401


def test_forbidden_page_explains_refusal(request_as: Ask) -> None:
    answer = request_as("bob", "GET", "/mailroom/letters/new")
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "mailroom.letter.write" not in answer.text
    assert "Ask an administrator for access." in answer.text


def test_invalid_policy_fails_at_start(make_app: Callable[..., Flask], write_module: Callable[..., str]) -> None:
    module = write_module(
        "wrongpolicy",
        init="""
            from flask import Blueprint
            from core.access import access

            bp = Blueprint("wrongpolicy", __name__)

            @bp.get("/wrong")
            @access("all users")
            def wrong():
                return ""
        """,
    )
    with pytest.raises(ModuleError, match=r"policy of .wrongpolicy\.wrong. is .all users."):
        make_app(None, [module])


# --- costs, and warnings ------------------------------------------------------------------------


def test_public_and_undeclared_views_not_wrapped(app: Flask) -> None:
    assert not hasattr(app.view_functions["mailroom.imprint"], "__wrapped__")
    assert hasattr(app.view_functions["mailroom.inbox"], "__wrapped__")
    assert isinstance(mailroom.NoteResource().reader, RowReader)
    assert not isinstance(mailroom.LetterResource().reader, RowReader)


def test_public_endpoint_loads_no_identity(app: Flask, letters: dict[str, int]) -> None:
    def fail() -> Identity:
        raise AssertionError("the identity was loaded")

    set_identity_loader(app, fail)
    client: FlaskClient = app.test_client()
    for url in (
        "/mailroom/v1/notes",
        "/mailroom/v1/notes/1",
        "/mailroom/v1/memos",
        "/mailroom/imprint",
        "/mailroom/closed/hours",
    ):
        assert client.get(url).status_code == 200


def test_undeclared_policy_logged(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    expected = ["mailroom.imprint", "mailroom.v1.health"]
    expected += ["mailroom.v1.memos", "mailroom.v1.memos_bulk", "mailroom.v1.memos_item"]
    assert endpoints.undeclared(app) == expected
    starting.warn(app)
    assert "no policy is declared: mailroom.imprint, mailroom.v1.health" in caplog.text


def test_matrix_says_who_may(app: Flask) -> None:
    set_role_loader(app, lambda: {"writer": frozenset({"mailroom.letter.write", "mailroom.letter.edit"})})
    with app.app_context():
        found = matrix(app)
    assert list(found.columns) == ["anonymous", "signed in", "writer"]
    cells = {(line.asked.place, line.asked.verb): (*line.cells, line.asked.reason) for line in found.lines}
    assert cells["mailroom.imprint", "GET"] == ("yes", "yes", "yes", "undeclared")
    assert cells["mailroom.inbox", "POST"] == ("no", "yes", "yes", "signed in")
    assert cells["mailroom.v1.letters", "GET"] == ("no", "own", "own", "mailroom.letter.read, or the owner")
    assert cells["mailroom.v1.letters", "POST"] == ("no", "no", "yes", "mailroom.letter.write")
    assert cells["mailroom.v1.letters_item", "PUT"] == ("no", "own", "yes", "mailroom.letter.edit, or the owner")
    assert cells["mailroom.letter_create", "GET"] == ("no", "no", "yes", "mailroom.letter.write")
    assert cells["static", "GET"] == ("yes", "yes", "yes", "public")


def test_command_shows_the_matrix(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["access"])
    assert result.exit_code == 0, result.output
    (line,) = (one for one in result.output.splitlines() if one.startswith("POST /mailroom/v1/letters "))
    assert line.split() == ["POST", "/mailroom/v1/letters", "mailroom.v1.letters", "no", "no", "mailroom.letter.write"]
    only = app.test_cli_runner().invoke(args=["access", "--undeclared"]).output
    assert "/mailroom/imprint" in only
    assert "/mailroom/inbox" not in only

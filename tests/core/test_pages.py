"""The pages of any model: which there are, whose templates they use, and what a developer sees."""

import html
import re
import uuid
from collections.abc import Callable
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import time
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core import migrations
from services import db
from tests import forms
from tests.core import archive

MOMENT = datetime(2026, 2, 28, 23, 59, 59, 5, UTC)

#: A module with one model, its pages to be completed by the test.
MODEL = """
    from sqlalchemy import String
    from sqlalchemy.orm import Mapped, mapped_column

    from services import db

    class OddJob(db.Model):
        __tablename__ = "jobs_odd_job"

        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str] = mapped_column(String(80), info={"label": "What"})
        hours: Mapped[int | None]

        def __str__(self):
            return self.title
"""
PAGES = """
    from flask import Blueprint

    from core.crud import Crud
    from core.forms import model_form
    from core.pages import Pages
    from .models import OddJob

    bp = Blueprint("jobs", __name__, template_folder="templates")

    class OddJobs(Crud):
        model = OddJob

    class OddJobPages(Pages):
        verbs = OddJobs()
        form = model_form(OddJob)
        columns = ("title", "hours")
        {knobs}

    OddJobPages.register(bp, "/jobs")
"""


@pytest.fixture
def make_job_client(
    make_app: Callable[..., Flask], write_module: Callable[..., str], new_database: Callable[[str], URL]
) -> Callable[..., FlaskClient]:
    """Return a client of a site with one job: ``open_jobs('allow = ("list",)')``."""

    def make(knobs: str = "") -> FlaskClient:
        app = make_app(new_database("sqlite"), [write_module("jobs", init=PAGES.format(knobs=knobs), models=MODEL)])
        with app.app_context():
            db.metadata.tables["jobs_odd_job"].create(db.engine)
            db.session.execute(sa.text("INSERT INTO jobs_odd_job (id, title) VALUES (1, 'Paint')"))
            db.session.commit()
        return app.test_client()

    return make


def shown(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


# --- the knobs ----------------------------------------------------------------------------------

VERBS = {"list": "/jobs", "get": "/jobs/1", "create": "/jobs/new", "update": "/jobs/1/edit", "delete": "/jobs/1/delete"}


ALLOWED = [("list",), ("list", "get"), ("create",), ("update",), ("delete",), ("get", "update"), ("list", "create"), ()]


@pytest.mark.parametrize("allow", ALLOWED)
def test_only_allowed_verbs_have_page(make_job_client: Callable[..., FlaskClient], allow: tuple[str, ...]) -> None:
    client = make_job_client(f"allow = {allow!r}")
    for verb, path in VERBS.items():
        # Where rows have pages, "new" is the key of none.
        assert client.get(path).status_code == (200 if verb in allow else 404)
        if verb in allow:
            own = [url for url in re.findall(r'<a [^>]*href="(/jobs[^"]*)"', client.get(path).text) if "?" not in url]
            assert {client.get(url).status_code for url in own} <= {200}


@pytest.mark.parametrize(
    ("allow", "path", "target"),
    [
        ("create", "/jobs/new", "/"),
        ("create list", "/jobs/new", "/jobs"),
        ("create list get", "/jobs/new", "/jobs/2"),
        ("update", "/jobs/1/edit", "/"),
        ("update get", "/jobs/1/edit", "/jobs/1"),
        ("delete", "/jobs/1/delete", "/"),
        ("delete get", "/jobs/1/delete", "/"),
        ("delete list", "/jobs/1/delete", "/jobs"),
    ],
)
def test_action_redirects_to_existing_page(
    make_job_client: Callable[..., FlaskClient], allow: str, path: str, target: str
) -> None:
    client = make_job_client(f"allow = {allow.split()!r}")
    changes = {} if "delete" in allow else {"title": "Sweep"}
    answer = forms.submit(client, path, **changes)
    assert (answer.status_code, answer.location) == (303, target)


def test_names_come_from_the_model(make_job_client: Callable[..., FlaskClient]) -> None:
    client = make_job_client()
    page = client.get("/jobs").text
    assert "<h1>Odd jobs</h1>" in page
    assert "New odd job" in shown(page)
    assert "1 odd job" in shown(page)
    assert ">What</label>" in client.get("/jobs/new").text
    answer = forms.submit(client, "/jobs/new", title="Sweep")
    assert "Created odd job “Sweep”." in client.get(answer.location).text


def test_names_and_details_can_be_set(make_job_client: Callable[..., FlaskClient]) -> None:
    client = make_job_client('plural = "Chores"; details = ("hours",)')
    assert "<h1>Chores</h1>" in client.get("/jobs").text
    facts = re.findall(r"<dt>(.*?)</dt>", client.get("/jobs/1").text)
    assert facts == ["Hours"]


def test_details_without_form_are_columns(make_job_client: Callable[..., FlaskClient]) -> None:
    client = make_job_client('allow = ("list", "get")\n        del form')
    answer = client.get("/jobs/1")
    assert answer.status_code == 200
    assert "What Paint Hours" in shown(answer.text)


def test_unversioned_model_editable(make_job_client: Callable[..., FlaskClient]) -> None:
    client = make_job_client()
    assert forms.submit(client, "/jobs/1/edit", hours="3").status_code == 303
    assert "3" in re.findall(r"<dd>(.*?)</dd>", client.get("/jobs/1").text)
    assert forms.submit(client, "/jobs/1/delete").status_code == 303
    assert client.get("/jobs/1").status_code == 404


TEMPLATES = {"list": "/jobs", "detail": "/jobs/1", "form": "/jobs/new", "delete": "/jobs/1/delete"}


@pytest.mark.parametrize(("template", "path"), TEMPLATES.items())
def test_module_replaces_a_template(
    make_job_client: Callable[..., FlaskClient], tmp_path: Any, template: str, path: str
) -> None:
    folder = tmp_path / "jobs" / "templates" / "jobs"
    folder.mkdir(parents=True)
    block = '{% extends "crud/' + template + '.html" %}{% block lead %}Our own words.{% endblock %}'
    (folder / f"odd_job_{template}.html").write_text(block)
    client = make_job_client()
    assert "Our own words." in client.get(path).text
    assert "Our own words." not in client.get("/jobs/1/edit" if template != "form" else "/jobs").text


def test_head_says_what_get_would(make_job_client: Callable[..., FlaskClient]) -> None:
    client = make_job_client()
    for path in [*VERBS.values(), "/jobs?page=x", "/jobs/99"]:
        assert client.head(path).status_code == client.get(path).status_code


def test_json_form_refused(make_job_client: Callable[..., FlaskClient]) -> None:
    client = make_job_client()
    token = forms.open_form(client, "/jobs/new")["csrf_token"]
    for body in ({"title": 5}, ["title"], {"title": "Sweep"}, "title"):
        answer = client.post("/jobs/new", json=body, headers={"X-CSRFToken": token})
        assert answer.status_code == 422
    assert "1 odd job" in shown(client.get("/jobs").text)


# --- every type ---------------------------------------------------------------------------------

ROW: dict[str, Any] = {
    "title": "<Title>", "small": -1, "big": 2**62, "exact": Decimal("0.0000000001"), "price": Decimal("-0.50"),
    "ratio": 1e-07, "flag": False, "maybe": True, "day": date(2026, 2, 28), "hour": time(7, 5), "moment": MOMENT,
    "local": datetime(2026, 2, 28, 7, 5), "kind": archive.Kind.LETTER_HOME, "mood": "wild", "data": {"<a>": [1]},
    "token": uuid.UUID(int=7), "folder_code": "A",
}  # fmt: skip


def test_row_of_every_type_is_shown(client: FlaskClient) -> None:
    text = shown(client.get("/archive/documents/1").text)
    for expected in (
        "<Title>", "-1", str(2**62), "0.0000000001", "-0.50", "1e-07", "Exact", "No", "Yes", "2026-02-28", "07:05",
        "2026-02-28 23:59 UTC", "2026-02-28 07:05", "Letter home", '{"<a>": [1]}', str(uuid.UUID(int=7)), "Folder A",
    ):  # fmt: skip
        assert expected in text
    assert "<Title>" in shown(client.get("/archive/documents").text)


#: Parameter of a filter: what finds the row, what finds none, what is no value.
FILTERS = {
    "title__startswith": ("<T", "T", None),
    "kind": ("LETTER_HOME", "NOTE", "2"),
    "mood": ("wild", "calm", "Wild"),
    "maybe": ("true", "false", "2"),
    "maybe__isnull": ("false", "true", "no"),
    "day__gte": ("2026-02-28", "2026-03-01", "tomorrow"),
    "day__lte": ("2026-02-28", "2026-02-27", "2026-02-30"),
    "moment__gte": ("2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z", "yesterday"),
    "ratio__lt": ("0.5", "0", "1e400"),
    "big__gt": ("1", str(2**62), "1.5"),
    "price__ne": ("1", "-0.50", "NaN"),
    "folder_code": ("A", "B", None),
    "tags.id": ("1", "2", "one"),
    "token": (str(uuid.UUID(int=7)), str(uuid.UUID(int=8)), "seven"),
}


@pytest.mark.parametrize("parameter", FILTERS)
def test_filter_types_have_controls(client: FlaskClient, parameter: str) -> None:
    found, none, wrong = FILTERS[parameter]
    answer = client.get("/archive/documents", query_string={parameter: found})
    assert answer.status_code == 200
    assert "1 document" in shown(answer.text)
    control = re.search(rf'<(?:input|select)[^>]*name="{re.escape(parameter)}"[^>]*>', answer.text)
    assert control is not None
    # The control of a moment has no zone: it is labelled as UTC.
    assert f'value="{html.escape(found.removesuffix("Z"))}"' in answer.text[control.start() :].partition("</div>")[0]
    assert "No document matches." in shown(client.get("/archive/documents", query_string={parameter: none}).text)
    if wrong is not None:
        answer = client.get("/archive/documents", query_string={parameter: wrong})
        assert answer.status_code == 400
        assert f'aria-describedby="filter-{parameter}-error"' in answer.text


def test_list_errors_name_controls(client: FlaskClient) -> None:
    answer = client.get("/archive/documents?price__ne=dear&colour=red&page=x")
    alert = re.search(r'role="alert">(.*?)</ul>', answer.text, re.DOTALL)
    assert alert is not None
    assert 'href="#filter-price__ne">' in alert[1]
    said = shown(alert[1])
    assert ": Not a number: write 12.50." in said
    assert "Address of the page: This filter does not exist." in said
    assert "price__ne" not in said
    assert "string" not in said


def test_page_beyond_the_last_names_it(client: FlaskClient) -> None:
    answer = client.get("/archive/documents?page=9")
    assert answer.status_code == 404
    assert "Page: The last page is 1." in shown(answer.text)


@pytest.fixture
def client(make_app: Callable[..., Flask], new_database: Callable[[str], URL]) -> FlaskClient:
    """Return a client of the archive with one document that has a value of every type."""
    app = make_app(new_database("sqlite"), [archive.__name__])
    with app.app_context():
        archive.Base.metadata.create_all(db.engine)
        tags = [archive.Tag(id=1, name="one")]
        db.session.add_all([archive.Folder(code="A"), archive.Folder(code="B"), archive.Tag(id=2, name="two")])
        db.session.add(archive.Document(**ROW, tags=tags))
        db.session.commit()
    return app.test_client()


# --- a row that changes while it is saved -------------------------------------------------------


@pytest.fixture
def postgresql_client(make_app: Callable[..., Flask], new_database: Callable[[str], URL]) -> FlaskClient:
    """Return a client of the archive on PostgreSQL, with one document."""
    app = make_app(new_database("postgresql"), [archive.__name__])
    with app.app_context():
        archive.Base.metadata.create_all(db.engine)
        db.session.add(archive.Document(title="At first"))
        db.session.commit()
    return app.test_client()


def _meanwhile(monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    """Let another session commit a statement between our read of the row and our write."""

    def check(self: Any, item: Any) -> None:
        with db.engine.begin() as connection:
            connection.execute(sa.text(statement))
        monkeypatch.undo()

    monkeypatch.setattr(archive.Documents, "check", check)


def test_concurrent_edit_is_conflict(postgresql_client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = forms.open_form(postgresql_client, "/archive/documents/1/edit")
    _meanwhile(monkeypatch, "UPDATE archive_document SET title = 'Theirs', version = version + 1")
    answer = postgresql_client.post("/archive/documents/1/edit", data={**fields, "title": "Ours"})
    assert answer.status_code == 409
    assert "Head Theirs Ours" in shown(answer.text)
    chosen = {**forms.read(answer.text), "title__use": "mine"}
    assert postgresql_client.post("/archive/documents/1/edit", data=chosen).status_code == 303


def test_concurrent_delete_is_not_found(postgresql_client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = forms.open_form(postgresql_client, "/archive/documents/1/edit")
    _meanwhile(monkeypatch, "DELETE FROM archive_document")
    assert postgresql_client.post("/archive/documents/1/edit", data={**fields, "title": "Ours"}).status_code == 404


# --- in development -----------------------------------------------------------------------------


@pytest.fixture
def make_outdated_client(
    make_app: Callable[..., Flask],
    write_module: Callable[..., str],
    write_revision: Callable[[str], None],
    new_database: Callable[[str], URL],
) -> Callable[..., FlaskClient]:
    """Return a client of a site whose database waits for a revision: ``behind("sqlite", APP_ENV=…)``."""
    write_revision(
        "op.create_table('jobs_odd_job', sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('title', sa.String(80)), sa.Column('hours', sa.Integer))"
    )
    modules = [write_module("jobs", init=PAGES.format(knobs=""), models=MODEL), "app.development"]
    return lambda engine_name, **config: make_app(new_database(engine_name), modules, **config).test_client()


def test_database_behind_button_works(make_outdated_client: Callable[..., FlaskClient], engine_name: str) -> None:
    client = make_outdated_client(engine_name, APP_ENV="development")
    prefix = {"SCRIPT_NAME": "/shop"}
    answer = client.get("/jobs", environ_overrides=prefix)
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "The database is behind" in shown(answer.text)
    assert "1 revision has not been run: one" in shown(answer.text)
    assert client.post("/_development/upgrade").status_code == 400
    done = client.post("/_development/upgrade", data=forms.read(answer.text), environ_overrides=prefix)
    assert (done.status_code, done.location) == (303, "/shop/jobs")
    answer = client.get("/jobs")
    assert answer.status_code == 200
    assert "The database is at head." in answer.text


def test_database_behind_problem_for_programs(make_outdated_client: Callable[..., FlaskClient]) -> None:
    answer = make_outdated_client("sqlite", APP_ENV="development").get("/jobs", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.json["detail"] == "1 revision is not run: one. alembic upgrade head"


def test_database_behind_is_an_upgrade_elsewhere(
    make_outdated_client: Callable[..., FlaskClient], engine_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_outdated_client(engine_name)
    answer = client.get("/jobs")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert "The site is being upgraded." in answer.text
    assert "alembic" not in answer.text
    assert "jobs_odd_job" not in answer.text
    assert "1 revision is not run: one. alembic upgrade head (" in caplog.text
    assert client.post("/_development/upgrade").status_code == 404
    migrations.upgrade(client.application.config["SQLALCHEMY_DATABASE_URI"])
    assert client.get("/jobs").status_code == 200


def test_statement_fault_not_missing_migration(
    make_app: Callable[..., Flask], write_module: Callable[..., str]
) -> None:
    init = """
        import sqlalchemy as sa
        from flask import Blueprint
        from services import db

        bp = Blueprint("broken", __name__)

        @bp.get("/broken")
        def broken():
            db.session.execute(sa.text("SELEKT 1"))
    """
    client = make_app(None, [write_module("broken", init=init), "app.development"], APP_ENV="development").test_client()
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert "behind" not in answer.text
    assert "SELEKT" not in answer.text

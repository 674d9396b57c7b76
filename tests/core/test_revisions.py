"""Positions of code and database, the same as Alembic's; and tables that the models miss."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy.engine import URL

from core import migrations
from core.data import inventory
from core.data import revisions
from services import db

MODELS = """
    from sqlalchemy.orm import Mapped, mapped_column
    from services import db

    class Box(db.Model):
        __tablename__ = "storage_box"
        id: Mapped[int] = mapped_column(primary_key=True)
        label: Mapped[str | None]
"""
INIT = """
    import sqlalchemy as sa
    from flask import Blueprint
    from core.data import cursors
    from core.http.apis import mark_api
    from services import db
    from .models import Box

    bp = Blueprint("storage", __name__)
    api = Blueprint("storage_api", __name__, url_prefix="/storage/api")
    mark_api(api)

    @api.get("/entities")
    def entities():
        return str(db.session.scalars(sa.select(Box)).all())

    @api.post("/entities")
    def add():
        db.session.add(Box(label="a"))
        db.session.flush()
        return "added"

    @api.get("/cursors")
    def by_hand():
        return str(cursors.read("SELECT label FROM storage_box"))

    @bp.get("/storage")
    def page():
        return str(db.session.scalars(sa.select(Box)).all())

    @api.get("/misspelt")
    def misspelt():
        return str(cursors.read("SELECT labell FROM storage_box"))
"""
MAKE = "op.create_table('storage_box', sa.Column('id', sa.Integer, primary_key=True), sa.Column('{column}', sa.{type}))"


@pytest.fixture
def app(
    make_app: Callable[..., Flask],
    write_module: Callable[..., str],
    write_revision: Callable[[str], None],
    new_database: Callable[[str], URL],
    engine_name: str,
) -> Flask:
    """An application whose history and models agree, on an empty database."""
    write_revision(MAKE.format(column="label", type="String(80)"))
    return make_app(new_database(engine_name), [write_module("storage", init=INIT, models=MODELS)])


def execute(app: Flask, *statements: str) -> None:
    with app.app_context(), db.engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_distance_is_what_alembic_says(new_database: Callable[[str], URL], make_app: Callable[..., Flask]) -> None:
    """On the platform's own history, however long it is."""
    history = [script.revision for script in ScriptDirectory.from_config(migrations.make_config()).walk_revisions()]
    url = new_database("sqlite")
    app = make_app(url)
    for applied in (None, history[-1], history[len(history) // 2], history[0]):
        if applied is not None:
            migrations.upgrade(url, applied)
        with app.app_context(), db.engine.connect() as connection:
            distance = revisions.measure()
            assert distance == migrations.distance(connection)
            assert distance.pending == tuple(history[: history.index(applied) if applied else None][::-1])
            assert distance.is_none == (applied == history[0])
            assert distance.hint == ("" if distance.is_none else "alembic upgrade head")
            assert bool(inventory.lacking(app)) != distance.is_none


def test_grown_history_read_again(app: Flask, tmp_path: Path) -> None:
    migrations.upgrade(app.config["SQLALCHEMY_DATABASE_URI"])
    with app.app_context():
        assert revisions.measure().is_none
        text = (tmp_path / "alembic" / "versions" / "one.py").read_text()
        later = text.replace('"one"', '"two"').replace("None", '("one",)')
        (tmp_path / "alembic" / "versions" / "two.py").write_text(later)
        assert revisions.measure() == revisions.Distance(("two",), ("one",), ("two",))


def test_contracting_revision_held_back(app: Flask, tmp_path: Path) -> None:
    versions = tmp_path / "alembic" / "versions"
    text = (versions / "one.py").read_text().replace("None", '("one",)')
    (versions / "two.py").write_text(text.replace('"one"', '"two"', 1) + "\ncontracts = True\n")
    with app.app_context():
        # An empty database has served no code.
        assert revisions.measure().waiting == ("one", "two")
        migrations.upgrade(app.config["SQLALCHEMY_DATABASE_URI"], "one")
        distance = revisions.measure()
        assert (distance.is_none, distance.held, distance.hint) == (True, ("two",), "flask prepare --contract")
        assert str(distance) == "Held back until no earlier code runs any more: two."
        with db.engine.connect() as connection:
            assert migrations.distance(connection).held == ("two",)


def test_several_heads_name_the_cure(app: Flask, tmp_path: Path, make_app: Callable[..., Flask]) -> None:
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    versions = tmp_path / "alembic" / "versions"
    migrations.upgrade(url)
    for name in ("two", "three"):
        (versions / f"{name}.py").write_text(f'revision = "{name}"\ndown_revision = "one"\n\ndef upgrade(): pass\n')
    with app.app_context():
        distance = revisions.measure()
        assert (distance.is_forked, distance.is_none, distance.is_behind) == (True, False, False)
        assert distance.hint == "alembic merge heads; then alembic upgrade head"
        assert "several heads, three and two" in str(distance)
    result = app.test_cli_runner().invoke(args=["prepare"])
    assert result.exit_code != 0
    assert "Join them: alembic merge heads" in result.output
    execute(app, "ALTER TABLE storage_box DROP COLUMN label")
    answer = make_app(url, ["storage", "app.development"], APP_ENV="development").test_client().get("/storage")
    assert answer.status_code == 503
    assert "<pre>alembic merge heads\nalembic upgrade head</pre>" in answer.text


def test_hint_runs_nothing_held_back() -> None:
    behind = revisions.Distance(("three",), ("one",), waiting=("two",), held=("three",))
    assert behind.hint == "flask prepare"


@pytest.mark.parametrize("path", ["entities", "cursors"])
def test_read_before_migration_is_upgrade(app: Flask, path: str) -> None:
    answer = app.test_client().get(f"/storage/api/{path}")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert (answer.json["type"], answer.json["detail"]) == ("/problems/unavailable", "The site is being upgraded.")
    assert answer.headers["Retry-After"] == "10"


def test_write_before_migration_is_upgrade(app: Flask) -> None:
    client = app.test_client()
    assert client.post("/storage/api/entities").status_code == 503
    migrations.upgrade(app.config["SQLALCHEMY_DATABASE_URI"])
    assert client.post("/storage/api/entities").status_code == 200


def test_newer_database_is_upgrade(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    migrations.upgrade(app.config["SQLALCHEMY_DATABASE_URI"])
    execute(app, "UPDATE alembic_version SET version_num = 'newer'", "ALTER TABLE storage_box DROP COLUMN label")
    client = app.test_client()
    assert [client.get("/storage/api/cursors").status_code, client.post("/storage/api/entities").status_code] == [
        503,
        503,
    ]
    assert "The database is at revision newer" in caplog.text
    assert "alembic downgrade one" in caplog.text


def test_newer_database_is_explained_in_development(app: Flask, make_app: Callable[..., Flask]) -> None:
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    migrations.upgrade(url)
    execute(app, "UPDATE alembic_version SET version_num = 'newer'", "ALTER TABLE storage_box DROP COLUMN label")
    answer = make_app(url, ["storage", "app.development"], APP_ENV="development").test_client().get("/storage")
    assert answer.status_code == 503
    assert "<pre>alembic downgrade one</pre>" in answer.text


def test_misspelt_statement_stays_a_fault(app: Flask) -> None:
    client = app.test_client()
    migrations.upgrade(app.config["SQLALCHEMY_DATABASE_URI"])
    assert client.get("/storage/api/misspelt").status_code == 500
    # Also where the database is elsewhere, and has all that the models need.
    execute(app, "UPDATE alembic_version SET version_num = 'newer'")
    assert client.get("/storage/api/misspelt").status_code == 500
    assert client.get("/storage/api/entities").status_code == 200


def test_missing_tables_listed_by_module(app: Flask) -> None:
    with app.app_context():
        assert inventory.lacking(app) == {"storage": ["storage_box"]}
    migrations.upgrade(app.config["SQLALCHEMY_DATABASE_URI"])
    with app.app_context():
        assert inventory.lacking(app) == inventory.demanding(app) == {}
    execute(app, "ALTER TABLE storage_box DROP COLUMN label", "ALTER TABLE storage_box ADD note VARCHAR(9) DEFAULT 'x'")
    with app.app_context():
        assert (inventory.lacking(app), inventory.demanding(app)) == ({"storage": ["storage_box.label"]}, {})


def test_generated_column_is_not_missing(app: Flask, engine_name: str) -> None:
    migrations.upgrade(app.config["SQLALCHEMY_DATABASE_URI"])
    kind = "VIRTUAL NOT NULL" if engine_name == "sqlite" else "STORED"
    add = f"ALTER TABLE storage_box ADD %s VARCHAR(9) GENERATED ALWAYS AS ('x') {kind}"
    execute(app, "ALTER TABLE storage_box DROP COLUMN label", add % "label", add % "unknown")
    with app.app_context():
        assert inventory.lacking(app) == inventory.demanding(app) == {}


def test_unmigrated_table_is_not_missing(
    make_app: Callable[..., Flask],
    write_module: Callable[..., str],
    write_revision: Callable[[str], None],
    new_database: Callable[[str], URL],
) -> None:
    not_ours = '__table_args__ = {"info": {"migrated": False}}'
    write_revision("pass")
    models = MODELS.replace('__tablename__ = "storage_box"', f'__tablename__ = "storage_box"\n        {not_ours}')
    app = make_app(new_database("sqlite"), [write_module("storage", init=INIT, models=models), "app.health"])
    # The view is made by a revision that waits.
    assert app.test_client().get("/storage/api/entities").status_code == 503
    migrations.upgrade(app.config["SQLALCHEMY_DATABASE_URI"])
    with app.app_context():
        assert inventory.lacking(app) == {}
        assert inventory.lacking(app, also_unmigrated=True) == {"storage": ["storage_box"]}
    assert app.test_client().get("/health/ready").status_code == 200
    execute(app, "CREATE TABLE storage_box (id INTEGER PRIMARY KEY, owner VARCHAR(9) NOT NULL)")
    with app.app_context():
        assert inventory.demanding(app) == {}


def test_newer_required_column_known(app: Flask, engine_name: str) -> None:
    execute(app, "CREATE TABLE storage_box (id INTEGER PRIMARY KEY, label VARCHAR(80), owner VARCHAR(9) NOT NULL)")
    with app.app_context():
        assert inventory.demanding(app) == {"storage": ["storage_box.owner"]}

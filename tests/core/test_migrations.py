import shutil
import subprocess
import sys
from pathlib import Path

import alembic
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.util import CommandError
from sqlalchemy.engine import URL

from config import ROOT
from core import migrations
from core import signals
from core.migrations import environment
from core.migrations import locks
from tests.core.projects import CORE_TABLE
from tests.core.projects import connected
from tests.core.projects import execute
from tests.core.projects import tables

ENGINES = ("sqlite", "postgresql", "mariadb")


SHARED = """
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
from services import db

class Item(db.Model):
    __tablename__ = "{label}_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50))
"""

OWN_BASE = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "{label}_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50))
"""

#: Starts like the alembic command, but waits for a line before it goes to work.
GATE = """
import sys
from alembic.config import main
from core import migrations
print("ready", flush=True)
sys.stdin.readline()
main(sys.argv[1:])
"""


def unreachable(engine_name: str) -> URL:
    drivers = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
    return URL.create(drivers[engine_name], "me", "hunter2-hunter2", "127.0.0.1", 1, "test_nowhere")


# --- the folder and the command -----------------------------------------------------------------


def test_alembic_folder_does_not_hide_library():
    assert not list((ROOT / "alembic").rglob("__init__.py"))
    assert "site-packages" in str(alembic.__file__)


@pytest.mark.parametrize("program", [("-m", "alembic"), (str(Path(sys.executable).with_name("alembic")),)])
def test_command_runs_from_any_folder(project, new_database, program):
    project.module("shop", SHARED)
    url = new_database("sqlite")
    status, output = project.run(url, "revision", "--autogenerate", "-m", "first", program=program)
    assert status == 0, output
    status, output = project.run(url, "upgrade", "head", program=program)
    assert status == 0, output
    assert "Running upgrade" in output
    assert len(tables(url)) == 1


def test_history_and_sql_need_no_database(project):
    label = project.module("shop", SHARED)
    project.revision("one", f"op.create_table('{label}_item', sa.Column('id', sa.Integer(), primary_key=True))")
    status, output = project.run(unreachable("postgresql"), "history")
    assert (status, "one" in output) == (0, True), output
    for engine_name in ("postgresql", "mariadb"):
        status, output = project.run(unreachable(engine_name), "upgrade", "head", "--sql")
        assert status == 0, output
        assert f"CREATE TABLE {label}_item" in output


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_unreachable_database_named_without_password(project, engine_name):
    status, output = project.run(unreachable(engine_name), "upgrade", "head")
    assert status != 0
    assert "The database does not answer" in output
    assert "Traceback" not in output
    assert "hunter2" not in output


def test_broken_module_is_named_without_traceback(project, new_database):
    project.installed = ["no_such_module"]
    status, output = project.run(new_database("sqlite"), "upgrade", "head")
    assert status != 0
    assert "FAILED: Module 'no_such_module' in INSTALLED_APPS cannot be found" in output
    assert "Traceback" not in output


def test_missing_folder_of_sqlite_is_made(project, tmp_path):
    project.revision("one", "pass")
    migrations.upgrade(URL.create("sqlite", database=str(tmp_path / "new" / "folder" / "test.db")), installed_apps=[])
    assert (tmp_path / "new" / "folder" / "test.db").exists()


# --- autogenerate -------------------------------------------------------------------------------

TYPES = "from core.data.models import Money\n" + OWN_BASE
TYPES += '    price = mapped_column(Money)\n    size = mapped_column(sa.Integer, server_default="7")\n'


def test_plain_alembic_writes_and_runs(project, new_database, engine_name):
    label = project.module("shop", OWN_BASE)
    url = new_database(engine_name)
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(label, TYPES)
    text = project.autogenerate(url, "second")
    assert "import core" not in text
    assert "from core" not in text
    for act, revision in (("upgrade", "head"), ("downgrade", "-1"), ("upgrade", "head")):
        getattr(command, act)(project.config(url), revision)
    command.check(project.config(url))
    command.downgrade(project.config(url), "base")
    assert tables(url) == set()


def test_bases_are_one_metadata(project, new_database, engine_name):
    """A foreign key by string to another base's table, in the order of the tables, in one history."""
    below = project.module("below", OWN_BASE)
    extra = f'    below_id: Mapped[int] = mapped_column(sa.ForeignKey("{below}_item.id"), index=True)\n'
    above = project.module("above", OWN_BASE + extra)
    url = new_database(engine_name)
    text = project.autogenerate(url)
    assert f"op.f('pk_{below}_item')" in text
    assert 0 < text.find(f"'{below}_item': '{below}'") < text.find(f"'{above}_item': '{above}'")
    command.upgrade(project.config(url), "head")
    command.check(project.config(url))
    assert tables(url) == {f"{below}_item", f"{above}_item"}
    assert len(project.written()) == 1


def test_check_fails_on_model_difference(project, new_database):
    url = new_database("sqlite")
    project.module("late", OWN_BASE)
    with pytest.raises(CommandError, match="New upgrade operations detected"):
        command.check(project.config(url))


@pytest.mark.parametrize("message", [(), ("-m", "again")])
def test_nothing_to_do_writes_no_revision(project, new_database, message):
    project.module("shop", OWN_BASE)
    url = new_database("sqlite")
    project.autogenerate(url)
    command.upgrade(project.config(url), "head")
    status, output = project.run(url, "revision", "--autogenerate", *message)
    assert status == 0, output
    assert "No changes in the models: no revision is written." in output
    assert len(project.written()) == 1


def test_foreign_tables_left_alone(project, new_database, engine_name):
    project.module("kept", SHARED)
    gone = project.module("gone", SHARED)
    url = new_database(engine_name)
    assert project.run(url, "revision", "--autogenerate", "-m", "first")[0] == 0
    assert project.run(url, "upgrade", "head")[0] == 0
    execute(url, "CREATE TABLE stranger (id integer)")
    project.installed.remove(gone)
    shutil.rmtree(project.folder / gone)
    status, output = project.run(url, "check")
    assert status == 0, output
    assert output.count("Left alone") == 1
    assert f"no installed module has them: {gone}_item, stranger\n" in output


def test_deleted_model_drop_proposed(project, new_database, engine_name):
    label = project.module("shop", OWN_BASE + OWN_BASE.replace("_item", "_old").replace("Item", "Old"))
    url = new_database(engine_name)
    project.autogenerate(url)
    command.upgrade(project.config(url), "head")
    for name in (label, f"{label}.models"):
        del sys.modules[name]
    project.module("shop", OWN_BASE)
    text = project.autogenerate(url)
    assert f"op.drop_table('{label}_old')" in text
    assert f"{label}_item" not in text


def test_table_belongs_to_defining_module(project, new_database, caplog):
    """``api`` is installed, ``api_keys`` no longer: ``api_keys_token`` is not a leftover of ``api``."""
    api = project.module("api", OWN_BASE)
    keys = f"{api}_keys"
    package = project.folder / keys
    shutil.copytree(project.folder / api, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "models.py").write_text((package / "models.py").read_text().replace(f"{api}_item", f"{keys}_token"))
    project.installed.append(keys)
    url = new_database("sqlite")
    text = project.autogenerate(url)
    assert f"'{keys}_token': '{keys}'" in text
    command.upgrade(project.config(url), "head")
    project.installed.remove(keys)
    command.check(project.config(url))
    assert f"{keys}_token" in caplog.text
    for name in (keys, f"{keys}.models"):
        del sys.modules[name]


def test_other_bind_not_migrated(project, new_database):
    models = 'import sqlalchemy as sa\nmetadata = sa.MetaData(info={"bind_key": "else"})\n'
    project.module("bound", models + 't = sa.Table("LABEL_t", metadata, sa.Column("id", sa.Integer))\n')
    url = new_database("sqlite")
    project.autogenerate(url)
    command.upgrade(project.config(url), "head")
    assert tables(url) == set()


def test_core_tables_need_no_module(project, new_database, engine_name):
    url = new_database(engine_name)
    text = project.autogenerate(url)
    assert f"tables = {{{CORE_TABLE!r}: 'core'}}" in text
    command.upgrade(project.config(url), "head")
    with connected(url) as connection:
        assert sa.inspect(connection).has_table(CORE_TABLE)
    command.check(project.config(url))


def test_removed_core_table_dropped(project, new_database):
    create = "op.create_table('core_old', sa.Column('id', sa.Integer(), primary_key=True))"
    project.revision("one", create)
    url = new_database("sqlite")
    command.upgrade(project.config(url), "head")
    assert "op.drop_table('core_old')" in project.autogenerate(url)


# --- locks --------------------------------------------------------------------------------------


def test_four_upgrades_at_once_all_succeed(project, new_database, engine_name):
    # The pause is where those that do not wait for their turn meet.
    create = "op.create_table('thing', sa.Column('id', sa.Integer(), primary_key=True))"
    project.revision("one", f"time.sleep(0.5); {create}")
    project.revision("two", "op.add_column('thing', sa.Column('name', sa.String(20)))", down="one")
    url = new_database(engine_name)
    command_line = [sys.executable, "-c", GATE, "-c", str(project.folder / "alembic.ini"), "upgrade", "head"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command_line, env=project.environ(url), **pipes) for _ in range(4)]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 4, "\n".join(outputs)
    assert "".join(outputs).count("Running upgrade") == 2
    with connected(url) as connection:
        assert {column["name"] for column in sa.inspect(connection).get_columns("thing")} == {"id", "name"}


def test_lock_timeout_is_error(project, new_database, engine_name, monkeypatch):
    monkeypatch.setattr(locks, "TURN_SECONDS", 0.3)
    project.revision("one", "pass")
    url = new_database(engine_name)
    engine = environment.make_engine(url)
    with locks.exclusive(engine), pytest.raises(CommandError, match="wait until it has ended"):
        migrations.upgrade(url, installed_apps=[])
    migrations.upgrade(url, installed_apps=[])


# --- several heads ------------------------------------------------------------------------------


@pytest.fixture
def forked_project(project):
    """A history as it is after two branches of the code were merged."""
    project.revision("one", "pass")
    for revision in ("left", "right"):
        create = f"op.create_table('{revision}', sa.Column('id', sa.Integer(), primary_key=True))"
        project.revision(revision, create, f"op.drop_table('{revision}')", down="one")
    return project


@pytest.mark.parametrize(
    "arguments",
    [
        ("upgrade", "head"),
        ("upgrade", "head", "--sql"),
        ("stamp", "head"),
        ("check",),
        ("revision", "--autogenerate", "-m", "more"),
    ],
)
def test_several_heads_name_the_cure(forked_project, new_database, arguments):
    url = new_database("sqlite")
    status, output = forked_project.run(url, *arguments)
    assert status != 0
    assert "The history has several heads, left and right: more than one revision follows the same one." in output
    assert "Join them: alembic merge heads; then run this command again." in output
    assert len(forked_project.written()) == 3


def test_revision_by_hand_refuses_several_heads(forked_project, new_database):
    status, output = forked_project.run(new_database("sqlite"), "revision", "-m", "more")
    assert status != 0
    assert "perform a merge" in output
    assert len(forked_project.written()) == 3


def test_cure_of_several_heads_works(forked_project, new_database, engine_name):
    url = new_database(engine_name)
    with pytest.raises(CommandError, match="Join them: alembic merge heads; then run"):
        migrations.upgrade(url, installed_apps=[])
    # It needs no database.
    status, output = forked_project.run(unreachable("postgresql"), "merge", "heads")
    assert status == 0, output
    command.upgrade(forked_project.config(url), "head")
    command.revision(forked_project.config(url), "by hand")
    command.upgrade(forked_project.config(url), "head")
    assert tables(url) == {"left", "right"}
    migrations.downgrade(url, "base", installed_apps=[])
    assert tables(url) == set()


def test_branch_is_continued_by_its_name(forked_project, new_database):
    status, output = forked_project.run(new_database("sqlite"), "revision", "-m", "more", "--head", "left")
    assert status == 0, output
    status, output = forked_project.run(new_database("sqlite"), "upgrade", "heads")
    assert status == 0, output


def test_revision_by_hand_needs_no_database(project):
    project.revision("one", "pass")
    status, output = project.run(unreachable("mariadb"), "revision", "-m", "more")
    assert status == 0, output
    assert len(project.written()) == 2


def test_autogenerate_behind_names_the_cure(project, new_database):
    project.revision("one", "pass")
    status, output = project.run(new_database("sqlite"), "revision", "--autogenerate", "-m", "more")
    assert status != 0
    assert "Target database is not up to date. Run first: alembic upgrade head" in output


# --- what others call ---------------------------------------------------------------------------


def test_pending_listed_oldest_first(project, new_database, engine_name):
    url = new_database(engine_name)
    for down, revision in ((None, "c"), ("c", "a"), ("a", "b")):
        project.revision(revision, "pass", down=down)
    with connected(url) as connection:
        assert migrations.distance(connection).pending == ("c", "a", "b")
    migrations.upgrade(url, "c", installed_apps=[])
    with connected(url) as connection:
        assert migrations.distance(connection).pending == ("a", "b")
    migrations.upgrade(url, installed_apps=[])
    with connected(url) as connection:
        assert migrations.distance(connection).pending == ()


def test_pending_names_unknown_revision(project, new_database):
    url = new_database("sqlite")
    project.revision("later", "pass")
    migrations.upgrade(url, installed_apps=[])
    (project.versions / "later.py").unlink()
    project.revision("other", "pass")
    with connected(url) as connection:
        assert migrations.distance(connection).unknown == ("later",)
    with pytest.raises(CommandError, match="at revision later, which"):
        migrations.upgrade(url, installed_apps=[])


def test_upgrade_without_pending_loads_nothing(project, new_database):
    url = new_database("sqlite")
    project.revision("one", "pass")
    migrations.upgrade(url, installed_apps=[])
    path = list(sys.path)
    migrations.upgrade(url, installed_apps=["no_such_module"])
    assert sys.path == path


def test_signal_names_the_revisions_that_ran(project, new_database, engine_name):
    url = new_database(engine_name)
    project.revision("one", "pass")
    project.revision("two", "pass", down="one")
    heard = []
    receiver = signals.migrated.connect(lambda sender, revisions: heard.append(revisions), weak=False)
    try:
        migrations.upgrade(url, installed_apps=[])
        migrations.upgrade(url, installed_apps=[])
        migrations.downgrade(url, installed_apps=[])
        command.stamp(project.config(url), "head")
    finally:
        signals.migrated.disconnect(receiver)
    assert heard == [["one", "two"], ["two"]]


def test_sqlite_dangling_rows_undo_revision(project, new_database):
    url = new_database("sqlite")
    parent = "op.execute('CREATE TABLE parent (id INTEGER PRIMARY KEY)')"
    child = "op.execute('CREATE TABLE child (parent_id INTEGER REFERENCES parent (id))')"
    project.revision("one", f"{parent}; {child}; op.execute('INSERT INTO parent VALUES (1)')")
    project.revision("two", "op.execute('INSERT INTO child VALUES (1), (7)')", down="one")
    with pytest.raises(CommandError, match=r"Revision two leaves 1 rows .* from 'child' to 'parent': it was undone"):
        migrations.upgrade(url, installed_apps=[])
    with connected(url) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM child")) == 0
        assert migrations.distance(connection).pending == ("two",)


def test_contracting_revision_held_back(project, new_database, engine_name):
    url = new_database(engine_name)
    project.revision("one", "pass")
    migrations.upgrade(url, installed_apps=[])
    project.revision("two", "pass", down="one")
    for down, revision in (("two", "three"), ("three", "four")):
        project.revision(revision, "pass", down=down)
        with (project.versions / f"{revision}.py").open("a") as file:
            file.write("\ncontracts = True\n")
    assert migrations.upgrade(url, installed_apps=[], contract=False) == ["three", "four"]
    with connected(url) as connection:
        assert migrations.distance(connection).held == ("three", "four")
    assert migrations.upgrade(url, installed_apps=[], contract=False) == ["three", "four"]
    assert migrations.upgrade(url, installed_apps=[]) == []
    with connected(url) as connection:
        assert migrations.distance(connection).pending == ()


def test_contracting_revision_runs_before_later(project, new_database):
    url = new_database("sqlite")
    project.revision("one", "pass")
    migrations.upgrade(url, installed_apps=[])
    project.revision("two", "pass", down="one")
    with (project.versions / "two.py").open("a") as file:
        file.write("\ncontracts = True\n")
    project.revision("three", "pass", down="two")
    assert migrations.upgrade(url, installed_apps=[], contract=False) == []
    with connected(url) as connection:
        assert migrations.distance(connection).pending == ()


def test_empty_database_has_nothing_held_back(project, new_database):
    url = new_database("sqlite")
    project.revision("one", "pass")
    with (project.versions / "one.py").open("a") as file:
        file.write("\ncontracts = True\n")
    assert migrations.upgrade(url, installed_apps=[], contract=False) == []


def test_documented_large_table_steps_run(project, new_database):
    url = new_database("postgresql")
    project.revision("one", "op.execute('CREATE TABLE one (id INTEGER PRIMARY KEY, other INTEGER, label TEXT)')")
    index = "'ix_one_label', 'one', ['label'], postgresql_concurrently=True"
    drop = "op.drop_index('ix_one_label', 'one', if_exists=True, postgresql_concurrently=True)"
    block = "with op.get_context().autocommit_block():\n"
    project.revision("two", f"{block}        {drop}\n        op.create_index({index})", down="one")
    check = "op.f('label'), 'one', 'label IS NOT NULL', postgresql_not_valid=True"
    key = "'other', 'one', 'one', ['other'], ['id'], postgresql_not_valid=True"
    project.revision("three", f"op.create_check_constraint({check}); op.create_foreign_key({key})", down="two")
    validate = "; ".join(f"op.execute('ALTER TABLE one VALIDATE CONSTRAINT {name}')" for name in ("label", "other"))
    project.revision("four", validate, down="three")
    fill = "op.alter_column('one', 'label', nullable=False); op.drop_constraint(op.f('label'), 'one')"
    project.revision("five", fill, down="four")
    migrations.upgrade(url, installed_apps=[])
    with connected(url) as connection:
        found = sa.inspect(connection)
        assert [column["name"] for column in found.get_columns("one") if not column["nullable"]] == ["id", "label"]
        assert [one["name"] for one in found.get_indexes("one")] == ["ix_one_label"]
        assert [one["name"] for one in found.get_foreign_keys("one")] == ["other"]
        assert not found.get_check_constraints("one")

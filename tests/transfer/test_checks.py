from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import URL

from core import migrations
from services import db
from tests.checks import found

PLAIN = """
    from flask import Blueprint

    bp = Blueprint("crate", __name__)
"""
CRATE = """
    import sqlalchemy as sa
    from sqlalchemy.orm import Mapped, mapped_column
    from services import db

    class Box(db.Model):
        __tablename__ = "crate_box"
        id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
        shelf: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
"""
MAKE = (
    "op.create_table('crate_box', sa.Column('id', sa.Integer, autoincrement=True),"
    " sa.Column('shelf', sa.Integer, autoincrement=False), sa.PrimaryKeyConstraint('id', 'shelf'))"
)


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"], indirect=True)
def test_sequence_behind_is_found_and_set(
    write_module: Callable[..., str],
    write_revision: Callable[[str], None],
    make_app: Callable[..., Flask],
    new_database: Callable[[str], URL],
    engine_name: str,
) -> None:
    write_revision(MAKE)
    url = new_database(engine_name)
    app = make_app(url, [write_module("crate", init=PLAIN, models=CRATE), "app.transfer"])
    migrations.upgrade(url)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO crate_box (shelf, id) VALUES (1, 5), (2, 7)"))
    is_behind = engine_name == "postgresql"
    assert ["crate_box_id_seq" in finding.message for finding in found(app, "transfer.sequences-behind")] == (
        [True] if is_behind else []
    )
    output = app.test_cli_runner().invoke(args=["transfer", "sequences"]).output
    assert ("crate_box_id_seq" in output) == is_behind
    assert found(app, "transfer.sequences-behind") == []
    if is_behind:
        with app.app_context(), db.engine.begin() as connection:
            assert connection.scalar(sa.text("INSERT INTO crate_box (shelf) VALUES (1) RETURNING id")) == 8

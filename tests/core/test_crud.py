from collections.abc import Callable
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm.attributes import set_committed_value

from core import signals
from core.crud import Crud
from core.exceptions import InUse
from core.exceptions import Invalid
from core.exceptions import NotFound
from core.exceptions import Stale
from services import db
from tests.core.test_listing import ORDERS
from tests.core.test_listing import various
from tests.core.warehouse import Box
from tests.core.warehouse import Color
from tests.core.warehouse import Maker
from tests.core.warehouse import Tag
from tests.core.warehouse import Thing
from tests.core.warehouse import boxes
from tests.core.warehouse import makers
from tests.core.warehouse import tags
from tests.core.warehouse import things

PEN = {"name": "pen", "maker_id": 1}


@pytest.fixture(autouse=True)
def maker(app: Flask) -> Iterator[Maker]:
    with app.app_context():
        maker = Maker(id=1, name="Acme")
        db.session.add(maker)
        db.session.commit()
        yield maker
        db.session.rollback()


def stored(model: type[Any] = Thing) -> int:
    """Count what another connection sees."""
    with db.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(model.__table__)) or 0


def elsewhere(statement: sa.Executable) -> None:
    with db.engine.begin() as connection:
        connection.execute(statement)


# --- one row ------------------------------------------------------------------------------------


def test_created_row_has_key_and_defaults() -> None:
    item = things.create(PEN)
    db.session.commit()
    assert things.get(item.id) is item
    assert (item.price, item.live, item.version) == (Decimal("1.50"), False, 1)


def test_verbs_leave_commit_to_caller() -> None:
    things.create(PEN)
    db.session.rollback()
    assert stored() == 0


@pytest.mark.parametrize("key", ["x", "", "-1", "0", "1.0", "1e0", "99999999999999999999", "2147483648", " 1", "١", 7])
def test_get_without_such_a_row(key: object) -> None:
    with pytest.raises(NotFound, match="There is no thing"):
        things.get(key)


def test_update_changes_what_it_names() -> None:
    item = things.create({**PEN, "rank": 3})
    db.session.commit()
    things.update(item, {"name": "pencil"})
    db.session.commit()
    assert (item.name, item.rank, item.version) == ("pencil", 3, 2)


def test_unchanged_update_writes_nothing() -> None:
    item = things.create({**PEN, "color": Color.RED, "data": {"a": [1]}})
    db.session.commit()
    before = item.version, item.updated_at
    things.update(item, {"name": "pen", "color": Color.RED, "price": Decimal("1.5"), "data": {"a": [1]}})
    db.session.commit()
    assert (item.version, item.updated_at) == before


def test_deleted_row_is_gone() -> None:
    item = things.create(PEN)
    db.session.commit()
    things.delete(item)
    db.session.commit()
    with pytest.raises(NotFound):
        things.get(item.id)


# --- what the database refuses ------------------------------------------------------------------


def refused(data: dict[str, Any], verbs: Crud = things) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as caught:
        verbs.create(data)
    assert db.session.is_active
    return caught.value.errors


def test_unique_name_is_named() -> None:
    assert refused({"id": 500, "name": "Acme"}, makers) == {"name": ["Another maker has this already."]}


def test_unique_index_is_named() -> None:
    things.create({**PEN, "code": "A1"})
    db.session.commit()
    assert refused({**PEN, "code": "A1"}) == {"code": ["Another thing has this already."]}


def test_columns_unique_together_are_named() -> None:
    things.create({**PEN, "slot": 1})
    db.session.commit()
    assert list(refused({**PEN, "slot": 1})) == ["maker_id", "slot"]
    things.create({**PEN, "slot": 2})


def test_unique_key_is_named() -> None:
    tags.create({"code": "a"})
    db.session.commit()
    db.session.expunge_all()
    assert list(refused({"code": "a"}, tags)) == ["code"]


@pytest.mark.parametrize(
    "code", ["uq_warehouse_thing_maker_id_slot", "PRIMARY", "(maker_id, slot)", "pk_warehouse_thing", "x' for key 'y"]
)
def test_constraint_like_value_not_misread(code: str) -> None:
    things.create({**PEN, "code": code})
    db.session.commit()
    assert list(refused({**PEN, "code": code})) == ["code"]


def test_key_that_points_nowhere_is_named() -> None:
    assert refused({**PEN, "maker_id": 99}) == {"maker_id": ["There is no such row."]}
    assert refused({**PEN, "owner_id": 99}) == {"owner_id": ["There is no such row."]}
    assert set(refused({**PEN, "maker_id": 98, "owner_id": 99})) == {"maker_id", "owner_id"}


def test_missing_value_is_named() -> None:
    assert refused({"name": None, "maker_id": 1}) == {"name": ["This field is required."]}


def test_missing_value_beside_column_name() -> None:
    assert refused({"name": None, "maker_id": 1, "notes": "rank", "code": "price"}) == {
        "name": ["This field is required."]
    }


def test_check_constraint_blames_data() -> None:
    assert refused({**PEN, "rank": -100}) == {"rank": ["It breaks the rule “rank”."]}


# SQLite keeps texts of any length, and all integers in 64 bits.
@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_long_value_blames_data() -> None:
    assert list(refused({**PEN, "name": "x" * 41})) == [""]


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_big_number_blames_data() -> None:
    assert list(refused({**PEN, "slot": 40_000})) == [""]


def test_referenced_row_is_in_use(maker: Maker) -> None:
    things.create({**PEN, "maker_id": 1})
    db.session.commit()
    with pytest.raises(InUse, match="point to this maker"):
        makers.delete(db.session.get(Maker, 1))
    assert db.session.get(Maker, 1) is not None


def test_owned_row_is_in_use() -> None:
    owner = makers.create({"id": 500, "name": "Owner"})
    things.create({**PEN, "owner_id": owner.id})
    db.session.commit()
    with pytest.raises(InUse):
        makers.delete(owner)


def test_self_referencing_row_is_in_use() -> None:
    box = boxes.create({"name": "endless", "maker_id": 1})
    box.inside_id = box.id
    db.session.commit()
    with pytest.raises(InUse, match="points to itself"):
        boxes.delete(box)
    boxes.update(db.session.get(Box, box.id), {"inside_id": None})
    boxes.delete(db.session.get(Box, box.id))


# --- versions -----------------------------------------------------------------------------------


def test_outdated_update_is_stale() -> None:
    item = things.create(PEN)
    db.session.commit()
    things.update(item, {"name": "pencil"}, version=1)
    db.session.commit()
    with pytest.raises(Stale):
        things.update(item, {"name": "crayon"}, version=1)
    assert item.name == "pencil"
    with pytest.raises(Stale):
        things.delete(item, version=1)


@pytest.mark.parametrize("verb", ["update", "delete"])
def test_lost_race_is_stale(verb: str) -> None:
    item = things.create(PEN)
    db.session.commit()
    elsewhere(sa.update(Thing.__table__).values(name="theirs", version=2))
    db.session.refresh(item)
    set_committed_value(item, "version", 1)
    with pytest.raises(Stale):
        things.update(item, {"name": "ours"}) if verb == "update" else things.delete(item)
    assert things.get(item.id).name == "theirs"


# --- seams and signals --------------------------------------------------------------------------


def test_check_refuses_before_anything_is_written() -> None:
    assert refused({**PEN, "name": "forbidden"}) == {"name": ["Choose another."]}


def test_receiver_that_raises_undoes_the_change() -> None:
    def refuse(sender: object, item: object) -> None:
        raise RuntimeError("no")

    item = things.create(PEN)
    db.session.commit()
    for signal, verb in (
        (signals.row_created, lambda: things.create({**PEN, "name": "second"})),
        (signals.row_updated, lambda: things.update(item, {"name": "pencil"})),
        (signals.row_deleted, lambda: things.delete(item)),
    ):
        with signal.connected_to(refuse, Thing), pytest.raises(RuntimeError):
            verb()
        db.session.rollback()
    assert stored() == 1
    assert things.get(item.id).name == "pen"


@pytest.mark.parametrize("wrong", [{"maker_id": 99}, {"code": "taken"}, {"rank": -100}, {"name": "forbidden"}])
def test_refused_verb_undoes_its_savepoint_alone(wrong: dict[str, Any]) -> None:
    things.create({**PEN, "code": "taken"})
    savepoint = db.session.begin_nested()
    things.create({**PEN, "name": "before"})
    with pytest.raises(Invalid) as caught, savepoint:
        things.create({**PEN, **wrong})
    assert set(caught.value.errors) == {*wrong}
    things.create({**PEN, "name": "after"})
    db.session.commit()
    assert list(db.session.scalars(sa.select(Thing.name).order_by(Thing.id))) == ["pen", "after"]


def test_refused_change_rolls_back_savepoint() -> None:
    item = things.create(PEN)
    with pytest.raises(Invalid), db.session.begin_nested():
        things.update(item, {"name": "forbidden", "rank": 7})
    things.update(item, {"notes": "kept"})
    db.session.commit()
    assert (item.name, item.rank, item.notes, item.version) == ("pen", None, "kept", 2)


def test_lost_race_undoes_its_savepoint_alone() -> None:
    item = things.create(PEN)
    db.session.commit()
    elsewhere(sa.update(Thing.__table__).values(version=2))
    things.create({**PEN, "name": "other"})
    db.session.refresh(item)
    set_committed_value(item, "version", 1)
    with pytest.raises(Stale), db.session.begin_nested():
        things.update(item, {"name": "late"})
    db.session.commit()
    assert stored() == 2


def test_signals_sent_once_per_change() -> None:
    heard: list[tuple[str, str]] = []

    def hear(name: str) -> Callable[..., None]:
        return lambda sender, item: heard.append((name, item.name))

    created, updated, deleted = hear("created"), hear("updated"), hear("deleted")
    with (
        signals.row_created.connected_to(created, Thing),
        signals.row_updated.connected_to(updated, Thing),
        signals.row_deleted.connected_to(deleted, Thing),
    ):
        item = things.create(PEN)
        things.update(item, {"name": "pencil"})
        things.delete(item)
    assert heard == [("created", "pen"), ("updated", "pencil"), ("deleted", "pencil")]


class LiveThings(Crud):
    """Sees the live ones only."""

    model = Thing
    search = ("name",)
    sorts = ("name",)

    def select(self) -> sa.Select[Any]:
        return super().select().where(Thing.live)

    def fold(self, text: str) -> str:
        return text.lower()


def test_select_bounds_every_verb() -> None:
    live = LiveThings()
    hidden = live.create({**PEN, "live": False})
    shown = live.create({**PEN, "live": True})
    db.session.commit()
    query = live.listing.parse({"count": "true", "q": "PEN"})
    page = live.list(query)
    assert page.items == [shown]
    assert page.total == live.count(query) == 1
    with pytest.raises(NotFound):
        live.get(hidden.id)


def test_count_stops_at_its_limit() -> None:
    for number in range(5):
        things.create({**PEN, "rank": number})
    query = things.listing.parse({"rank__gte": "1", "limit": "2", "page": "2"})
    assert things.count(query) == 4
    assert things.count(query, 3) == 3


def test_missing_query_lists_all_rows() -> None:
    for number in range(things.page_size + 1):
        things.create({**PEN, "rank": number})
    page = things.list()
    assert things.count() == things.page_size + 1
    assert (len(page.items), page.previous, page.next is not None) == (things.page_size, None, True)


def test_unknown_attribute_is_programming_error() -> None:
    with pytest.raises(TypeError, match="Thing has no attribute nope, colour"):
        things.create({**PEN, "nope": 1, "colour": 2})
    item = things.create(PEN)
    with pytest.raises(TypeError, match="Thing has no attribute nope"):
        things.update(item, {"name": "pencil", "nope": 1})
    assert (item.name, things.count()) == ("pen", 1)


def test_relationships_and_plain_properties_are_attributes(maker: Maker) -> None:
    item = boxes.create({"shout": "WOOD", "maker": maker})
    assert (item.name, item.maker_id) == ("wood", 1)


def test_list_walks_by_cursor_over_entities() -> None:
    db.session.add_all([Maker(id=2, name="Bolt"), Maker(id=3, name="Bolt & Cord")])
    db.session.add_all([Thing(**row) for row in various()])
    db.session.commit()
    for sort in ORDERS:
        whole = things.list(things.listing.parse({"sort": sort, "limit": "100"})).items
        walked, cursor = [], ""
        while cursor is not None:
            page = things.list(things.listing.parse({"sort": sort, "limit": "5", "cursor": cursor}))
            walked += page.items
            cursor = page.next
        assert walked == whole, sort


def test_tag_without_a_version_has_none() -> None:
    assert tags.version(Tag(code="a")) is None

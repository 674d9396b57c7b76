import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from flask import Flask

import core
from core import modules
from core.modules import Module
from core.modules import ModuleError
from core.modules import offers
from core.platform import platform_of
from services import Base

Write = Callable[..., str]
Make = Callable[..., Flask]

PLAIN = """
from flask import Blueprint

bp = Blueprint({label!r}, __name__, url_prefix="/{label}")

@bp.get("/")
def index():
    return {label!r}
"""

MODEL = """
from sqlalchemy.orm import Mapped, mapped_column
from services import db

class {name}(db.Model):
    __tablename__ = {table!r}
    id: Mapped[int] = mapped_column(primary_key=True)
"""

OWN_MODEL = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class {name}(Base):
    __tablename__ = {table!r}
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def plain(label: str) -> str:
    return PLAIN.format(label=label)


def blueprints(app: Flask) -> list[str]:
    return [name for name in app.blueprints if name != "bootstrap"]


def refusal(make_app: Make, *names: str) -> str:
    with pytest.raises(ModuleError) as caught:
        make_app(None, list(names))
    return str(caught.value)


def test_face_imported_with_upward_relationship(write_module: Write, make_app: Make) -> None:
    above = write_module("above", init=plain("above"), models=MODEL.format(name="Above", table="above_thing"))
    below = write_module(
        "below",
        init=plain("below") + "from . import schemas",
        models="""
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship
from services import db

class Below(db.Model):
    __tablename__ = "below_thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    above_id: Mapped[int] = mapped_column(sa.ForeignKey("above_thing.id"))
    above = relationship("Above")
""",
        schemas="""
from core.fields.schemas import ModelSchema
from .models import Below

class BelowSchema(ModelSchema):
    class Meta:
        model = Below
""",
    )
    assert make_app(None, [above, below]).test_client().get("/below/").text == "below"


# --- what is a module ---------------------------------------------------------------------------


def test_plain_blueprint_is_a_whole_module(write_module: Write, make_app: Make) -> None:
    client = make_app(None, [write_module("corner", init=plain("corner"))]).test_client()
    assert client.get("/corner/").text == "corner"


def test_module_may_be_a_single_file(write_module: Write, make_app: Make) -> None:
    write_module("street.any")
    write_module("street", kiosk_file=plain("kiosk_file"))
    app = make_app(None, ["street.kiosk_file"])
    assert app.test_client().get("/kiosk_file/").text == "kiosk_file"
    assert list(offers(app, "models")) == []


def test_blueprint_is_found_under_any_name(write_module: Write, make_app: Make) -> None:
    source = plain("corner").replace("bp", "_the_thing")
    assert make_app(None, [write_module("corner", init=source)]).test_client().get("/corner/").status_code == 200


def test_module_may_have_several_blueprints(write_module: Write, make_app: Make) -> None:
    source = plain("left") + plain("right").replace("bp", "other")
    client = make_app(None, [write_module("corner", init=source)]).test_client()
    assert [client.get(path).text for path in ("/left/", "/right/")] == ["left", "right"]


def test_nested_blueprint_served_below_parent(write_module: Write, make_app: Make) -> None:
    source = plain("outer") + plain("inner").replace("bp", "child") + "\nbp.register_blueprint(child)\n"
    app = make_app(None, [write_module("corner", init=source)])
    assert app.test_client().get("/outer/inner/").text == "inner"
    assert app.test_client().get("/inner/").status_code == 404
    assert set(blueprints(app)) == {"outer", "outer.inner"}


def test_blueprint_with_two_names_counts_once(write_module: Write, make_app: Make) -> None:
    app = make_app(None, [write_module("corner", init=plain("corner") + "\nblueprint = bp\n")])
    assert blueprints(app) == ["corner"]


def test_foreign_blueprint_not_taken(write_module: Write, make_app: Make) -> None:
    write_module("below", init=plain("below"))
    write_module("above", init=plain("above") + "\nfrom below import bp as theirs\n")
    assert blueprints(make_app(None, ["below", "above"])) == ["below", "above"]
    assert blueprints(make_app(None, ["above"])) == ["above"]


def test_module_of_any_dotted_name(write_module: Write, make_app: Make) -> None:
    app = make_app(None, [write_module("vendor.shops.corner", init=plain("corner"))])
    assert app.test_client().get("/corner/").text == "corner"
    assert [module.label for module in platform_of(app).modules] == ["corner"]


def test_registration_follows_list_order(write_module: Write, make_app: Make) -> None:
    for label in ("zebra", "ant", "mole"):
        write_module(label, init=plain(label).replace(f"/{label}", "/same"))
    for names in (["zebra", "ant", "mole"], ["mole", "ant", "zebra"]):
        app = make_app(None, names)
        assert blueprints(app) == names
        assert app.test_client().get("/same/").text == names[0]


def test_application_without_modules(make_app: Make) -> None:
    assert make_app(None, []).test_client().get("/").status_code == 404


# --- models -------------------------------------------------------------------------------------


def test_relationship_names_later_model(write_module: Write, make_app: Make) -> None:
    first = MODEL.format(name="LeftOne", table="left_one") + (
        "    right_id = mapped_column(ForeignKey('right_one.id'))\n    right = relationship('RightOne')\n"
    )
    imports = "from sqlalchemy import ForeignKey\nfrom sqlalchemy.orm import relationship\n"
    write_module("left", init=plain("left"), models=imports + first)
    write_module("right", init=plain("right"), models=MODEL.format(name="RightOne", table="right_one"))
    make_app(None, ["left", "right"])
    models = sys.modules["left.models"]
    assert models.LeftOne.right.property.mapper.class_.__name__ == "RightOne"


def test_models_imported_without_reference(write_module: Write, make_app: Make) -> None:
    write_module("corner", init=plain("corner"), models=MODEL.format(name="Thing1", table="corner_thing"))
    make_app(None, ["corner"])
    assert "corner_thing" in Base.metadata.tables


def test_module_with_own_base(write_module: Write, make_app: Make) -> None:
    write_module("corner", init=plain("corner"), models=OWN_MODEL.format(name="Thing2", table="corner_thing"))
    app = make_app(None, ["corner"])
    (metadata,) = modules.metadatas(platform_of(app).modules[0])
    assert list(metadata.tables) == ["corner_thing"]
    assert metadata is not Base.metadata


def test_models_import_needing_application(write_module: Write, make_app: Make) -> None:
    models = "from flask import current_app, g, request" + MODEL.format(name="One", table="one_thing")
    app = make_app(None, [write_module("one", init=PLAIN.format(label="one"), models=models)])

    assert [module.name for module in modules.installed(app)] == ["one"]


def test_models_may_be_a_package(write_module: Write, make_app: Make) -> None:
    write_module("corner", init=plain("corner"))
    write_module(
        "corner.models",
        init="from .things import Thing3\n",
        things=MODEL.format(name="Thing3", table="corner_thing"),
    )
    write_module("corner", init=plain("corner"))
    make_app(None, ["corner"])
    assert "corner_thing" in Base.metadata.tables


def test_shared_base_is_no_clash(write_module: Write, make_app: Make) -> None:
    write_module("below", init=plain("below"), models=OWN_MODEL.format(name="Low", table="below_thing"))
    source = OWN_MODEL.format(name="High", table="above_thing")
    source = "from below.models import Base\n" + source.replace("class Base(DeclarativeBase):\n    pass\n", "")
    write_module("above", init=plain("above"), models=source)
    assert len(platform_of(make_app(None, ["below", "above"])).modules) == 2


# --- offers -------------------------------------------------------------------------------------


def test_offers_follow_module_order(write_module: Write, make_app: Make) -> None:
    write_module("one", init=plain("one"), rpc="value = 1")
    write_module("two", init=plain("two"))
    write_module("three", init=plain("three"), rpc="value = 3")
    app = make_app(None, ["three", "two", "one"])
    assert [(module.label, file.value) for module, file in offers(app, "rpc")] == [("three", 3), ("one", 1)]


def test_broken_offer_not_missing(write_module: Write, make_app: Make) -> None:
    app = make_app(None, [write_module("one", init=plain("one"), rpc="import nothing_of_this_name", health="1 / 0")])
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        list(offers(app, "rpc"))
    with pytest.raises(ZeroDivisionError):
        list(offers(app, "health"))


def test_offer_imported_on_demand(write_module: Write, make_app: Make) -> None:
    app = make_app(None, [write_module("one", init=plain("one"), rpc="value = 1")])
    assert "one.rpc" not in sys.modules
    assert platform_of(app).modules[0].has("rpc")
    assert "one.rpc" not in sys.modules


def test_file_that_is_missing_is_none() -> None:
    assert Module("core.modules", modules).file("anything") is None
    assert Module("app", __import__("app")).file("nothing_of_this_name") is None


# --- refusals: what, where, and the hint --------------------------------------------------------


def test_misspelt_module(make_app: Make) -> None:
    for name in ("app.hmoe", "no_such_package.shop"):
        message = refusal(make_app, name)
        assert f"'{name}' in INSTALLED_APPS cannot be found" in message
        assert "settings.py" in message


def test_missing_dependency_of_a_module(write_module: Write, make_app: Make) -> None:
    write_module("corner", init="import nothing_of_this_name")
    message = refusal(make_app, "corner")
    assert message.startswith("Module 'corner' cannot be imported, it needs 'nothing_of_this_name': install that, ")
    assert message.endswith("corner/__init__.py, line 1.")


def test_missing_file_of_a_module(write_module: Write, make_app: Make) -> None:
    write_module("corner", init="import corner.ruotes")
    assert "'corner' cannot be imported, it needs 'corner.ruotes'" in refusal(make_app, "corner")
    write_module("cornered", init=plain("cornered") + "\nfrom . import ruotes\n")
    assert "ruotes" in refusal(make_app, "cornered")


def test_module_fault_names_place(write_module: Write, make_app: Make) -> None:
    write_module("corner", init="from . import routes", routes="def x(:")
    message = refusal(make_app, "corner")
    assert "'corner'" in message
    assert "routes.py" in message
    write_module("crash", init="1 / 0")
    assert "ZeroDivisionError" in refusal(make_app, "crash")


def test_fault_within_models(write_module: Write, make_app: Make) -> None:
    write_module("corner", init=plain("corner"), models="import nothing_of_this_name")
    message = refusal(make_app, "corner")
    assert "'corner'" in message
    assert "models" in message
    assert "nothing_of_this_name" in message


def test_module_without_a_blueprint(write_module: Write, make_app: Make) -> None:
    write_module("vendor.corner", init="from flask import Blueprint")
    message = refusal(make_app, "vendor.corner")
    assert "'vendor.corner' has no Blueprint" in message
    assert "vendor/corner/__init__.py" in message
    assert "Blueprint('corner', __name__)" in message


def test_stdlib_package_has_no_blueprint(make_app: Make) -> None:
    assert "has no Blueprint" in refusal(make_app, "json")


def test_two_modules_with_one_label(write_module: Write, make_app: Make) -> None:
    write_module("one.shop", init=plain("shop"))
    write_module("two.shop", init=plain("shop"))
    message = refusal(make_app, "one.shop", "two.shop")
    assert "'one.shop' and 'two.shop' have the same label 'shop'" in message
    assert "rename" in message


def test_module_that_is_listed_twice(write_module: Write, make_app: Make) -> None:
    write_module("corner", init=plain("corner"))
    assert "list only one" in refusal(make_app, "corner", "corner")


def test_blueprint_named_as_the_platforms(write_module: Write, make_app: Make) -> None:
    message = refusal(make_app, write_module("corner", init=plain("bootstrap")))
    assert "'corner' has a Blueprint named 'bootstrap', as the platform has" in message


def test_two_blueprints_of_one_name(write_module: Write, make_app: Make) -> None:
    write_module("one", init=plain("shop"))
    write_module("two", init=plain("shop"))
    message = refusal(make_app, "one", "two")
    assert "'one' and 'two' both have a Blueprint named 'shop'" in message


def test_two_tables_of_one_name(write_module: Write, make_app: Make) -> None:
    write_module("one", init=plain("one"), models=MODEL.format(name="First", table="shop_thing"))
    write_module("two", init=plain("two"), models=MODEL.format(name="Second", table="shop_thing"))
    message = refusal(make_app, "one", "two")
    assert "two" in message
    assert "'shop_thing'" in message
    assert "<module>_<noun>" in message


def test_equal_tables_of_two_bases(write_module: Write, make_app: Make) -> None:
    write_module("zero", init=plain("zero"), models=MODEL.format(name="Zero", table="zero_thing"))
    imports_its_models = plain("one") + "\nfrom . import models\n"
    write_module("one", init=imports_its_models, models=MODEL.format(name="First1", table="shop_thing"))
    write_module("two", init=plain("two"), models=OWN_MODEL.format(name="Second1", table="shop_thing"))
    message = refusal(make_app, "zero", "one", "two")
    assert "'one' and 'two' both define the table 'shop_thing'" in message


@pytest.mark.parametrize("name", ["", ".", "a b", "app/home", "../app", ".home"])
def test_name_that_is_none(make_app: Make, name: str) -> None:
    assert repr(name) in refusal(make_app, name)


def test_refusal_leaves_no_half_application(write_module: Write, make_app: Make) -> None:
    write_module("good", init=plain("good"))
    refusal(make_app, "good", "no_such_module")
    assert make_app(None, ["good"]).test_client().get("/good/").status_code == 200


def test_cause_is_kept(write_module: Write) -> None:
    write_module("corner", init="1 / 0")
    with pytest.raises(ModuleError) as caught:
        modules.load(["corner"])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_package_itself_has_no_names() -> None:
    names = {name: value for name, value in vars(core).items() if not name.startswith("__")}

    assert {name for name, value in names.items() if not isinstance(value, ModuleType)} == set()


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("x = 1 / 0", "corner/routes.py, line 1: ZeroDivisionError: division by zero"),
        ("\ndef f(:\n", "corner/routes.py, line 2: SyntaxError: invalid syntax"),
        ("from services import dbb", "corner/routes.py, line 1: ImportError: cannot import name 'dbb'"),
    ],
)
def test_fault_names_its_file_and_line(write_module: Write, make_app: Make, source: str, fault: str) -> None:
    write_module("corner", init=plain("corner") + "from . import routes", routes=source)
    assert fault in refusal(make_app, "corner")

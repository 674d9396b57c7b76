"""Shadowed addresses, files, templates and commands are named."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app.doctor import Deployment
from app.doctor import shadows
from app.doctor.configuration import shadowed
from app.doctor.examination import collect
from core.cli import shell_names
from core.modules import ModuleError

MODEL = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Thing(Base):
    __tablename__ = {table!r}
    id: Mapped[int] = mapped_column(primary_key=True)
"""

Write = Callable[..., str]
Make = Callable[..., Flask]

INIT = """
from flask import Blueprint, render_template

bp = Blueprint({label!r}, __name__, template_folder="templates", {options})


@bp.route({rule!r}, methods={methods})
def index(**given):
    return {label!r}
"""


def module(label: str, rule: str = "/", methods: tuple[str, ...] = ("GET",), options: str = "") -> str:
    return INIT.format(label=label, rule=rule, methods=list(methods), options=options)


def hidden(app: Flask) -> dict[str, str]:
    return {shadow.where: f"{shadow.message} {shadow.hint}" for shadow in shadows.find_shadows(app)}


def test_hidden_start_page_is_named(write_module: Write, make_app: Make, caplog: pytest.LogCaptureFixture) -> None:
    shop = write_module("shop", init=module("shop"))
    app = make_app(None, ["app.home", shop])

    text = hidden(app)["shop.index"]
    assert text == (
        f"GET / never reaches 'shop.index' of module {shop!r}: 'home.index' of module 'app.home' has the same address "
        f"and was registered before. Give one of them another address. Or list {shop!r} before 'app.home' in "
        "INSTALLED_APPS, or take 'app.home' out."
    )
    assert shadowed.id == "core.shadowed"
    assert [finding.where for finding in shadowed.look(Deployment(app, "testing"))] == ["shop.index"]


def test_cure_of_a_hidden_page_works(write_module: Write, make_app: Make) -> None:
    shop = write_module("shop", init=module("shop"))

    for installed in ([shop, "app.home"], [shop]):
        app = make_app(None, installed)
        assert app.test_client().get("/").text == "shop"
    assert hidden(app) == {}


def test_warning_at_start(write_module: Write, make_app: Make, capfd: pytest.CaptureFixture[str]) -> None:
    make_app(None, ["app.home", "app.doctor", write_module("shop", init=module("shop"))])

    assert "app.doctor.starting: GET / never reaches 'shop.index'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("first", "second", "methods"),
    [
        (("/things/<key>", ("GET",)), ("/things/<name>", ("GET", "POST")), "GET"),
        (("/things/<int:key>", ("GET", "POST")), ("/things/<int:name>", ("POST", "GET")), "GET and POST"),
        (("/things", ("GET",)), ("/things", ("POST",)), None),
        (("/things/<int:key>", ("GET",)), ("/things/<key>", ("GET",)), None),
        (("/things", ("GET",)), ("/things/", ("GET",)), None),
    ],
)
def test_same_rule_is_named(
    write_module: Write,
    make_app: Make,
    first: tuple[str, tuple[str, ...]],
    second: tuple[str, tuple[str, ...]],
    methods: str | None,
) -> None:
    names = [write_module("one", init=module("one", *first)), write_module("two", init=module("two", *second))]
    found = hidden(make_app(None, names))

    assert list(found) == (["two.index"] if methods else [])
    assert methods is None or found["two.index"].startswith(f"{methods} {second[0]} never reaches")


def test_hidden_files_are_named(write_module: Write, make_app: Make) -> None:
    app = make_app(None, [write_module("shop", init=module("shop", options='static_folder="static"'))])

    assert "static_url_path='/shop/static'" in hidden(app)["shop.static"]
    prefixed = module("shop2", options='static_folder="static", url_prefix="/shop2"')
    assert hidden(make_app(None, [write_module("shop2", init=prefixed)])) == {}


def test_hidden_template_is_named(write_module: Write, make_app: Make, tmp_path: Path) -> None:
    names = [write_module(label, init=module(label, f"/{label}")) for label in ("one", "two")]
    for label in names:
        tmp_path.joinpath(label, "templates").mkdir()
        for template in ("index.html", "base.html"):
            tmp_path.joinpath(label, "templates", template).touch()
    found = [f"{one.message} {one.hint}" for one in shadows.find_shadows(make_app(None, names))]

    assert len(found) == 3
    assert f"The template 'base.html' of module {names[0]!r} is never used: app/templates has one" in found[0]
    assert any("'index.html'" in text and names[1] in text and "one/templates" in text for text in found)


def test_platform_hides_nothing(sqlite_app: Flask) -> None:
    assert shadows.find_shadows(sqlite_app) == []


@pytest.mark.parametrize("label", ["access", "prepare", "run", "shell"])
def test_module_cannot_take_a_command(write_module: Write, make_app: Make, label: str) -> None:
    name = write_module(f"street.{label}", init=module(label, f"/{label}"), cli="")

    with pytest.raises(ModuleError, match=f"`flask {label}` is a command already: rename the package"):
        make_app(None, [name])


def test_shell_knows_both_models(write_module: Write, make_app: Make) -> None:
    names = [
        write_module(label, init=module(label, f"/{label}"), models=MODEL.format(table=f"{label}_thing"))
        for label in ("one", "two")
    ]
    app = make_app(None, names)
    with app.app_context():
        found = shell_names()

    assert [found[name].__tablename__ for name in ("Thing", "two_Thing")] == ["one_thing", "two_thing"]


def test_same_check_is_named(write_module: Write, make_app: Make) -> None:
    checks = 'from app.doctor import Level, check\n\n@check("shop.key", Level.INFO)\ndef key(it):\n    """Yes."""\n'
    names = [write_module(label, init=module(label, f"/{label}"), checks=checks) for label in ("one", "two")]
    app = make_app(None, names)
    with app.app_context():
        _, failed = collect(Deployment(app, "testing"))

    assert [finding.message for finding in failed] == ["Two checks have the id 'shop.key': only the first is made."]

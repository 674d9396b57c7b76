"""Declarations that modules enforce, and what holds where no module does."""

from collections.abc import Callable

from flask import Flask

from core.declarations import enforced
from tests.core import warehouse

#: A module that writes its name into the answers of views for which ``word`` is declared.
WRAPPING = """
from functools import wraps

def wrap(app, endpoint, declaration):
    view = app.view_functions[endpoint]

    @wraps(view)
    def wrapped():
        return "{name}(" + view() + declaration.value + ")"

    return wrapped

ENFORCED = {{"word": wrap}}
"""

BLUEPRINT = """
from flask import Blueprint

bp = Blueprint("{name}", __name__)
"""

SHOP = """
from flask import Blueprint
from core.api.limits import limited
from core.declarations import declaring

bp = Blueprint("shop", __name__)

@bp.get("/said")
@declaring("word", "!")
@limited("1 per hour")
def said():
    return "hello"

@bp.get("/plain")
def plain():
    return "plain"
"""


def test_first_module_wraps_innermost(make_app: Callable[..., Flask], write_module: Callable[..., str]) -> None:
    names = ("inner", "outer")
    modules = [
        write_module(name, init=BLUEPRINT.format(name=name), declarations=WRAPPING.format(name=name)) for name in names
    ]
    app = make_app(None, [write_module("shop", init=SHOP), *modules])
    client = app.test_client()

    assert client.get("/said").text == "outer(inner(hello!)!)"
    assert client.get("/plain").text == "plain"
    assert (enforced(app, "shop.said", "word"), enforced(app, "shop.plain", "word")) == ("!", None)


def test_limit_without_module_not_counted(make_app: Callable[..., Flask], write_module: Callable[..., str]) -> None:
    app = make_app(None, [write_module("shop", init=SHOP)])
    answers = [app.test_client().get("/said") for _ in range(3)]

    assert [(answer.status_code, answer.headers.get("X-RateLimit-Limit")) for answer in answers] == [(200, None)] * 3
    assert enforced(app, "shop.said", "rate_limit") is None


def test_bulk_only_with_module(make_app: Callable[..., Flask]) -> None:
    for modules, status in (([warehouse.__name__], 404), (["app.bulk", warehouse.__name__], 422)):
        client = make_app(None, modules).test_client()
        assert client.post("/warehouse/things:bulk", json={}).status_code == status

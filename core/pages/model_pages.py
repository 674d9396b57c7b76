"""Pages of each model in this application, so that others can link to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask import url_for
from flask.sansio.app import App

from ..crud.readers import may_list
from ..crud.readers import may_read
from ..crud.verbs import Crud
from ..platform import platform_of


@dataclass(frozen=True)
class ModelPages:
    """The pages of one model.

    :param prefix: of their endpoints, ``example.product``
    :param allow: the verbs that they serve
    :param verbs: what they show
    :param title: of the list, in English
    """

    prefix: str
    allow: Sequence[str]
    verbs: Crud
    title: str


def add(app: App, model: type[Any], pages: ModelPages) -> None:
    """Make the pages of a model known."""
    platform_of(app).model_pages[model] = pages


def find(model: type[Any]) -> ModelPages | None:
    """Return the pages of a model; ``None`` if no installed module has any."""
    known: dict[type[Any], ModelPages] = platform_of(current_app).model_pages
    return known.get(model)


def page_of(item: Any) -> str | None:
    """Return the URL of a row's own page; ``None`` if there is none for the current identity."""
    pages = find(type(item))
    if pages is None or "get" not in pages.allow or not may_read(item):
        return None
    return url_for(f"{pages.prefix}_detail", key=pages.verbs.address(item))


def list_of(model: type[Any], filtered: str, value: Any) -> str | None:
    """Return the URL of the list of a model's rows with this value; ``None`` if there is none for this identity."""
    pages = find(model)
    if pages is None or "list" not in pages.allow or "eq" not in pages.verbs.filters.get(filtered, ()):
        return None
    if not may_list(model):
        return None
    return url_for(f"{pages.prefix}_list", **{filtered: value})

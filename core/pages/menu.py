"""The site's header, made of what the modules offer in their ``menu.py``: entries, templates at its end,
and notices below it. A module without entries has those of its resources.

A module that is taken out of ``INSTALLED_APPS`` takes its entries with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Flask
from flask import current_app
from flask import request
from flask import url_for
from flask.globals import request_ctx

from ..access import may_open
from ..modules import ModuleError
from ..modules import installed
from ..modules import offers
from ..platform import platform_of


@dataclass(frozen=True)
class Link:
    """Entry of a module's ``menu.entries()``.

    :param endpoint: of a view without arguments, ``example.product_list``
    :param is_secondary: whether it stands after all entries that are not, as do the platform's tools
    """

    label: str
    endpoint: str
    is_secondary: bool = False


@dataclass(frozen=True)
class Entry:
    """A link as the layout shows it on this page.

    :param active: whether the page belongs to the part of the site that the link leads to
    """

    label: str
    url: str
    active: bool = False
    is_secondary: bool = False


def init_app(app: Flask) -> None:
    """Collect the entries of the installed modules.

    :raises core.modules.ModuleError: if one leads to an endpoint that there is not
    """
    files = [(module.name, file) for module, file in offers(app, "menu")]
    declared = {name: file.entries for name, file in files if hasattr(file, "entries")}
    platform_of(app).menu = {
        module.name: declared.get(module.name) or partial(_lists, app, module.label) for module in installed(app)
    }
    platform_of(app).row_menu = [file.row_entries for _, file in files if hasattr(file, "row_entries")]
    platform_of(app).header_templates = [file.header for _, file in files if hasattr(file, "header")]
    platform_of(app).footer_templates = [file.footer for _, file in files if hasattr(file, "footer")]
    platform_of(app).notices = [file.notice for _, file in files if hasattr(file, "notice")]
    functions = (menu, header_templates, footer_templates, notices, row_menu)
    app.jinja_env.globals |= {function.__name__: function for function in functions}
    with app.test_request_context():
        for name, links in platform_of(app).menu.items():
            for link in links():
                if link.endpoint not in app.view_functions:
                    raise ModuleError(
                        f"Module {name!r}: its menu names the endpoint {link.endpoint!r}, which no view has."
                    )


def _lists(app: Flask, label: str) -> list[Link]:
    """Return the lists of a module's resources: its entries where it has no ``menu.py``."""
    return [Link(title, endpoint) for module, title, endpoint in platform_of(app).lists if module == label]


def menu() -> list[Entry]:
    """Return the entries for this request; none where no address can be made (an untrusted host)."""
    if request_ctx.url_adapter is None:
        return []
    here = f"{request.script_root}{request.path}"
    found = [entry for module in platform_of(current_app).menu for entry in entries(module)]
    found.sort(key=lambda entry: entry.is_secondary)
    # Of several that lie above this page, the nearest.
    above = [entry.url for entry in found if f"{here}/".startswith(f"{entry.url.rstrip('/')}/")]
    nearest = max(above, key=len, default=None)
    return [replace(entry, active=entry.url == nearest) for entry in found]


def header_templates() -> list[str]:
    """Return the templates at the end of the header; none where no address can be made (an untrusted host)."""
    return [] if request_ctx.url_adapter is None else platform_of(current_app).header_templates


def footer_templates() -> list[str]:
    """Return the templates in the footer; none where no address can be made (an untrusted host)."""
    return [] if request_ctx.url_adapter is None else platform_of(current_app).footer_templates


def notices() -> list[str]:
    """Return what the modules have to say above this page's content: ``menu.notice()``, ``None`` for nothing."""
    collected: list[Callable[[], str | None]] = platform_of(current_app).notices
    return [text for offer in collected if (text := offer())]


def row_menu(item: Any) -> list[Entry]:
    """Return what the modules offer for a row, beside the buttons of its page: ``menu.row_entries(item)``."""
    collected: list[Callable[[Any], list[Entry]]] = platform_of(current_app).row_menu
    return [entry for offer in collected for entry in offer(item)]


def entries(module: str) -> list[Entry]:
    """Return the entries of one module, without those that the current identity may not open."""
    collected: dict[str, Callable[[], list[Link]]] = platform_of(current_app).menu
    links = collected[module]() if module in collected else []
    return [
        Entry(link.label, url_for(link.endpoint), is_secondary=link.is_secondary)
        for link in links
        if may_open(link.endpoint)
    ]

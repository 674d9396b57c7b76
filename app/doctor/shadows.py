"""Addresses and templates of modules that can never be reached, because something else has their name.

Of two rules for one address the first serves its methods, and of two templates of one name the first is used:
neither Flask nor Jinja says so.
"""

import os
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.routing.matcher import State

from core.configuration.collected import ROOT
from core.modules import blueprints
from core.modules import installed

#: Methods that werkzeug and Flask add to a rule.
_ADDED = {"HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Shadow:
    """Something that is never reached.

    :param where: its endpoint, or its name
    """

    message: str
    hint: str
    where: str


def find_shadows(app: Flask) -> list[Shadow]:
    """Return what can never be reached."""
    owners = {blueprint.name: module.name for module in installed(app) for blueprint in blueprints(module)}
    return [*_rules(app, owners), *_templates(app, owners)]


def _owner(owners: dict[str, str], path: str) -> str | None:
    """Return the module of an endpoint, or of a blueprint; ``None`` for what is of none."""
    return owners.get(path.partition(".")[0])


# --- addresses ----------------------------------------------------------------------------------


def _rules(app: Flask, owners: dict[str, str]) -> Iterator[Shadow]:
    # Each state of werkzeug's matcher has the rules that match the same paths, in their order.
    for state in _states(app.url_map._matcher._root):
        for number, rule in enumerate(state.rules):
            for earlier in state.rules[:number]:
                methods = sorted((rule.methods or set()) & (earlier.methods or set()) - _ADDED)
                if methods and rule.endpoint != earlier.endpoint and _owner(owners, rule.endpoint):
                    yield _hidden(rule, earlier, methods, owners)


def _states(state: State) -> Iterator[State]:
    yield state
    for one in [*state.static.values(), *(follower for _, follower in state.dynamic)]:
        yield from _states(one)


def _hidden(rule: Rule, earlier: Rule, methods: list[str], owners: dict[str, str]) -> Shadow:
    own, other = _owner(owners, rule.endpoint), _owner(owners, earlier.endpoint)
    message = (
        f"{' and '.join(methods)} {rule.rule} never reaches {_named(rule, own)}: "
        f"{_named(earlier, other)} has the same address and was registered before."
    )
    hint = "Give one of them another address."
    if rule.endpoint.rpartition(".")[2] == "static":
        hint = f"Give the blueprint a url_prefix, or static_url_path='/{rule.endpoint.partition('.')[0]}/static'."
    elif own and other and own != other:
        hint += f" Or list {own!r} before {other!r} in INSTALLED_APPS, or take {other!r} out."
    return Shadow(message, hint, rule.endpoint)


def _named(rule: Rule, module: str | None) -> str:
    return f"{rule.endpoint!r} of module {module!r}" if module else f"{rule.endpoint!r} of the platform"


# --- templates ----------------------------------------------------------------------------------


def _templates(app: Flask, owners: dict[str, str]) -> Iterator[Shadow]:
    """Yield the templates of modules that have the name of one that is looked up before."""
    known: dict[str, Sequence[str]] = {}
    for name, loader in [("", app.jinja_loader), *((one.name, one.jinja_loader) for one in app.iter_blueprints())]:
        own = _owner(owners, name)
        folders: Sequence[str] = getattr(loader, "searchpath", ())
        for template in loader.list_templates() if loader is not None and folders else ():
            first = known.setdefault(template, folders)
            if own and first != folders:
                yield Shadow(
                    f"The template {template!r} of module {own!r} is never used: {_shown(first)} has one of this name, "
                    "and comes first.",
                    f"Move it to templates/{own.rpartition('.')[2]}/ and render it by that name.",
                    template,
                )


def _shown(folders: Sequence[str]) -> str:
    return ", ".join(os.path.relpath(folder, ROOT) for folder in folders)

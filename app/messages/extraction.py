"""The texts of a package that are marked for translation, and those that are derived from its models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS
from babel.messages.extract import extract_from_dir
from flask import Flask

from core.access import permissions
from core.crud.readers import served
from core.fields.messages import marshmallow_messages
from core.fields.words import choice_text
from core.fields.words import enum_choices
from core.fields.words import label_text
from core.fields.words import module_of
from core.fields.words import plural
from core.fields.words import right_text
from core.fields.words import words
from core.modules import describe
from core.modules import installed
from core.platform import platform_of

#: Functions whose arguments are texts, as xgettext has them: the number of the argument, ``c`` for its context.
KEYWORDS: dict[str, Any] = {
    **DEFAULT_KEYWORDS,
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
    "lazy_pgettext": ((1, "c"), 2),
    "Message": None,
}

_METHODS = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract"), ("**.txt", "jinja2.ext:babel_extract")]
_OPTIONS = {
    name: {"trimmed": "true", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}
    for name in ("**.html", "**.txt")
}


def packages(app: Flask, root: Path) -> dict[str, Path]:
    """Return the folders that have catalogues, by name: the core, ``app/``, and the modules that lie below a folder."""
    found = {"core": root / "core", "app": Path(app.root_path)}
    folders = {module.label: Path(str(module.package.__file__)).parent for module in installed(app)}
    return found | {label: folder for label, folder in folders.items() if folder.is_relative_to(root)}


def extract(app: Flask, name: str, folder: Path) -> Catalog:
    """Return the texts of a package, without translations."""
    catalog = Catalog(project=name, charset="utf-8", fuzzy=False)
    # Of app/ itself only the templates: the rest are modules.
    for part in [folder / "templates"] if name == "app" else [folder]:
        for path, _, text, comments, context in extract_from_dir(part, _METHODS, _OPTIONS, KEYWORDS, ("Translators:",)):
            place = (part / path).relative_to(folder.parent).as_posix()
            catalog.add(text, locations=[(place, 0)], auto_comments=comments, context=context)
    if name == "core":
        for text in sorted(marshmallow_messages()):
            catalog.add(text, locations=[("marshmallow", 0)])
    for text in sorted(derived_texts(app, name)):
        catalog.add(text, locations=[(f"{folder.name}/models", 0)], context=name)
    return catalog


def derived_texts(app: Flask, label: str) -> set[str]:
    """Return what pages and forms derive from a module: titles, nouns, labels and choices of its models."""
    found = {text for module in installed(app) if module.label == label for text in describe(module) if text}
    for model in served(app):
        if module_of(model) == label:
            name = words(model.__name__)
            found |= {name, plural(name), plural(name).capitalize(), *_labels(model), *_choices(model)}
    found |= {right_text(name) for name in permissions() if name.startswith(f"{label}.")}
    shown = platform_of(app).model_pages.values()
    return found | {pages.title for pages in shown if module_of(pages.verbs.model) == label}


def _labels(model: type[Any]) -> Iterator[str]:
    for name, attribute in sa.inspect(model).all_orm_descriptors.items():
        info = getattr(attribute, "info", None) or {}
        if not name.startswith("_") and not info.get("hidden"):
            yield label_text(name, info)
            if info.get("description"):
                yield str(info["description"])


def _choices(model: type[Any]) -> Iterator[str]:
    for column in sa.inspect(model).columns:
        type_ = column.type
        if isinstance(type_, sa.Enum):
            yield from map(choice_text, enum_choices(type_).values())

"""Catalogues of translations: ``<package>/translations/<language>/LC_MESSAGES/messages.po``, compiled beside it."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.messages.pofile import write_po
from flask import Flask

import settings
from core.http.languages import FOLDER
from core.http.languages import SOURCE

from .extraction import extract
from .extraction import packages


@dataclass(frozen=True)
class File:
    """The catalogue of a package in one language.

    :param template: the texts that are to be translated
    """

    language: str
    path: Path
    template: Catalog

    def read(self) -> Catalog:
        """Return it as it is on disk; empty if there is none."""
        locale = Locale.parse(self.language, sep="-")
        if not self.path.is_file():
            return Catalog(locale=locale, project=self.template.project, fuzzy=False)
        with self.path.open("rb") as file:
            return read_po(file, locale=locale)

    def updated(self) -> Catalog:
        """Return it with the texts of the template, and no others."""
        catalog = self.read()
        # The header would change with each run.
        self.template.creation_date = catalog.creation_date
        revised = catalog.revision_date
        catalog.update(self.template, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        catalog.header_comment = f"# {settings.LANGUAGES[self.language]}"
        catalog.msgid_bugs_address = catalog.last_translator = ""
        catalog.revision_date = revised
        return catalog

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with it: it is not up to date, not compiled, or a translation is missing or wrong."""
        catalog = self.updated()
        text = _written(catalog)
        if not self.path.is_file() or self.path.read_bytes() != text:
            yield f"{self.path}: not up to date; run `make messages`."
        elif not self.compiled.is_file() or self.compiled.read_bytes() != _compiled(catalog):
            yield f"{self.compiled}: not compiled; run `make messages`."
        for message in catalog:
            if message.id:
                yield from (f"{self.path}: {fault}: {message.id!r}" for fault in _faults(message, catalog))

    @property
    def compiled(self) -> Path:
        return self.path.with_suffix(".mo")

    def write(self) -> None:
        """Bring it up to date with the template, and compile it."""
        catalog = self.updated()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(_written(catalog))
        self.compiled.write_bytes(_compiled(catalog))


def catalogues(app: Flask, root: Path, *, also_missing: bool = False) -> Iterator[File]:
    """Yield the catalogues of a project's packages, in each language but that of the code.

    :param also_missing: whether of packages that are not translated, too
    """
    for name, folder in packages(app, root).items():
        template = extract(app, name, folder)
        for language in settings.LANGUAGES if len(template) else ():
            if language != SOURCE:
                path = folder / FOLDER / language.replace("-", "_") / "LC_MESSAGES" / "messages.po"
                if also_missing or path.is_file():
                    yield File(language, path, template)


def _faults(message: Message, catalog: Catalog) -> Iterator[str]:
    texts = message.string if isinstance(message.string, tuple | list) else [message.string]
    if not all(texts):
        yield "not translated"
    elif message.fuzzy:
        yield "marked as fuzzy"
    else:
        yield from map(str, message.check(catalog))


def _written(catalog: Catalog) -> bytes:
    file = io.BytesIO()
    write_po(file, catalog, width=120, include_lineno=False, sort_by_file=True, include_previous=False)
    return file.getvalue()


def _compiled(catalog: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()

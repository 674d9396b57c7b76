"""Texts for people are marked for translation, in templates and in Python, and every catalogue is complete."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from jinja2 import Environment

from app.messages.catalogues import File
from app.messages.catalogues import catalogues
from config import ROOT

#: Functions that mark a text.
MARKS = {
    "_",
    "gettext",
    "ngettext",
    "pgettext",
    "npgettext",
    "lazy_gettext",
    "lazy_ngettext",
    "lazy_pgettext",
    "Message",
}
#: Words of HTML and of protocols that are the same in each language.
SAME = re.compile(r"\b(JSON-RPC|JSON|API|OpenAPI|URL|UTC|HTTP|SQL|TOTP|Andamio|RFC|MB|ms|GET|POST|CSV)\b")
A_WORD = re.compile(r"[A-Za-z]{2,}")
SHOWN_ATTRIBUTES = {"title", "aria-label", "placeholder", "alt", "data-label"}
VERBATIM = {"code", "pre", "script", "style", "kbd", "samp"}


class Texts(HTMLParser):
    """The texts of a page that are not within tags, and the attributes that people read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.verbatim = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.verbatim += tag in VERBATIM
        self.found += [text or "" for name, text in attrs if name in SHOWN_ATTRIBUTES]

    def handle_endtag(self, tag: str) -> None:
        self.verbatim -= tag in VERBATIM and self.verbatim > 0

    def handle_data(self, data: str) -> None:
        if not self.verbatim:
            self.found.append(data)


def unmarked_in_template(source: str) -> list[str]:
    """Return the texts of a template, and of its expressions, that are not marked."""
    html, strings, in_trans = "", [], False
    tokens = [(kind, value) for _, kind, value in Environment(autoescape=True).lex(source) if kind != "whitespace"]
    for number, (kind, value) in enumerate(tokens):
        if kind == "block_begin":
            name = tokens[number + 1][1]
            in_trans = name == "trans" or (in_trans and name != "endtrans")
        elif kind == "data" and not in_trans:
            html += value
        elif kind in ("variable_begin", "variable_end"):
            html += "\ue000" if kind == "variable_begin" else ""
        elif kind == "string" and not in_trans and _is_text(ast.literal_eval(value)):
            strings += [] if _marks(tokens, number) else [value]
    parser = Texts()
    parser.feed(html)
    # Attributes that a template puts together, and addresses, are no text.
    found = [re.sub(r'[\w-]+="[^"]*"|/\w+', "", SAME.sub("", text)) for text in parser.found]
    return [*(text.strip() for text in found if A_WORD.search(re.sub("required|data-rest", "", text))), *strings]


def _marks(tokens: list[tuple[str, str]], number: int) -> bool:
    """Return whether a string is an argument of a call that marks it."""
    depth = 0
    for kind, value in reversed(tokens[:number]):
        if kind == "operator" and value == ")":
            depth += 1
        elif kind == "operator" and value == "(":
            depth -= 1
            if depth < 0:
                place = tokens[:number]
                break
        elif kind in ("variable_begin", "block_begin"):
            return False
    else:
        return False
    depth = 0
    for index in range(len(place) - 1, -1, -1):
        value = place[index][1]
        depth += (value == ")") - (value == "(")
        if depth < 0:
            return place[index - 1][1] in MARKS
    return False


def _is_text(text: str) -> bool:
    """Return whether a string is for people: it has a space between words, or begins with a capital letter."""
    plain = SAME.sub("", text)
    if re.fullmatch(r"([a-z]+(-[a-z]+)* ?)+", text) and "-" in text:
        # Classes.
        return False
    return (
        bool(re.search(r"[A-Za-z]{2,} [A-Za-z]", plain) or re.fullmatch(r"[A-Z][a-z]+[.…]?", plain))
        and "%Y" not in text
    )


def is_translated(path: Path) -> bool:
    """Return whether the package of a file has catalogues: a product may leave its own modules in English."""
    package = ROOT / Path(*path.relative_to(ROOT).parts[: 1 if path.is_relative_to(ROOT / "core") else 2])
    return package.name in ("templates", "static") or (package / "translations").is_dir()


TEMPLATES = sorted(
    path for path in (ROOT / "app").rglob("templates/**/*.html") if "deploy" not in path.parts and is_translated(path)
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT / "app").as_posix())
def test_texts_of_templates_are_marked(path):
    assert unmarked_in_template(path.read_text()) == []


# --- Python -------------------------------------------------------------------------------------

#: Calls whose texts people see: the name, and which of the arguments without a name.
SEEN = {
    "flash": (0,),
    "ValidationError": (0,),
    "StopValidation": (0,),
    "Problem": (1,),
    "NotFound": (0,),
    "InUse": (0,),
    "BadRequest": (0,),
    "abort": (1,),
    "Kind": (2, 3),
    "Link": (0,),
    "Invalid": (0,),
    "BadQuery": (0,),
    "StringField": (0,),
    "PasswordField": (0,),
    "BooleanField": (0,),
    "SelectField": (0,),
    "SubmitField": (0,),
    "TextAreaField": (0,),
    "EmailField": (0,),
    "IntegerField": (0,),
    "RadioField": (0,),
    "SelectMultipleField": (0,),
}
#: Arguments with these names are texts that people see, of whatever call.
SEEN_NAMES = {"message", "invalid_value_message"}

SOURCES = sorted(
    path
    for folder in ("core", "app")
    for path in (ROOT / folder).rglob("*.py")
    if is_translated(path)
    and path.name != "cli.py"
    and not {"cli", "configuration", "deploy", "doctor", "backups", "transfer"} & {*path.parts}
)


def unmarked_in_python(tree: ast.AST) -> Iterator[str]:
    """Yield the texts for people that are not marked, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            places = SEEN.get(name, ())
            arguments = [argument for number, argument in enumerate(node.args) if number in places]
            arguments += [one.value for one in node.keywords if one.arg in SEEN_NAMES and name not in MARKS]
            for argument in arguments:
                yield from _texts(argument)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "default_error_messages":
            yield from _texts(node.value)


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in MARKS:
        return
    if isinstance(node, ast.Dict):
        for value in node.values:
            yield from _texts(value)
        return
    if isinstance(node, ast.Constant | ast.JoinedStr):
        text = ast.unparse(node)
        if re.fullmatch("'[A-Z_]+'", text):
            # The name of a setting.
            return
        if A_WORD.search(SAME.sub("", text)) and (" " in text or text[1:2].isupper()):
            yield f"{node.lineno}: {text}"
        return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_texts_of_python_are_marked(path: Path):
    assert list(unmarked_in_python(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "template",
    [
        "<p>Hello there</p>",
        '<a title="Close it">{{ x }}</a>',
        '{{ "Save it" if a else b }}',
        "{% if a %}Yes{% endif %}",
        '{% set x = "Choose one" %}',
    ],
)
def test_unmarked_text_is_found_in_template(template):
    assert unmarked_in_template(template) != []


@pytest.mark.parametrize(
    "template",
    [
        "{% trans %}Hello there{% endtrans %}",
        '<a title="{{ _("Close it") }}">{{ x }}</a>',
        '{{ _("Save it", name=f(x)) if a else ngettext("One row", "Many rows", n) }}',
        "<code>GET it</code> JSON",
        '{% include "crud/list.html" %}',
    ],
)
def test_marked_text_passes(template):
    assert unmarked_in_template(template) == []


@pytest.mark.parametrize(
    "text", ['flash("Saved it.")', 'Invalid({"a": ["Not so."]})', 'f(message=f"At most {n} rows")']
)
def test_unmarked_text_is_found_in_python(text):
    assert [*unmarked_in_python(ast.parse(text))] != []


# --- catalogues ---------------------------------------------------------------------------------


def test_catalogues_are_complete(sqlite_app):
    """Each text has a translation in each language, with its values and plural forms, compiled."""
    with sqlite_app.app_context():
        faults = [fault for file in catalogues(sqlite_app, ROOT) for fault in file.faults()]
    assert faults == []


def test_platform_is_translated():
    """Each module that stands above the demos has a catalogue in each language."""
    modules = re.findall(r'"app\.(\w+)"', (ROOT / "settings.py").read_text().partition("# demos")[0])
    folders = [ROOT / "core", ROOT / "app", *(ROOT / "app" / name for name in modules)]
    assert len(modules) > 10
    assert [
        f"{folder.name}: {language}"
        for folder in folders
        for language in ("es", "ru")
        if not (folder / "translations" / language / "LC_MESSAGES" / "messages.mo").is_file()
    ] == []


def test_missing_translation_is_found(sqlite_app, tmp_path):
    template = Catalog()
    template.add("Hello %(name)s")
    file = File("es", tmp_path / "messages.po", template)
    file.write()
    assert [fault.partition(": ")[2] for fault in file.faults()] == ["not translated: 'Hello %(name)s'"]
    file.path.write_text(
        file.path.read_text()
        .replace('msgstr ""\n', 'msgstr "Hola %(nombre)s"\n')
        .replace('msgstr "Hola %(nombre)s"\n"', 'msgstr ""\n"', 1)
    )
    assert any("placeholder" in fault for fault in file.faults())

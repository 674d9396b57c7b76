"""Rules of security that all of the code keeps, and what no address gives away."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import ROOT

FOLDERS = ("core", "app")
SOURCES = [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
TEMPLATES = sorted((ROOT / "app").rglob("templates/**/*.html"))
SCRIPTS = sorted((ROOT / "app").rglob("static/*.js"))


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    """Yield each call of a function or method of this name."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
                yield path, node


def place(path: Path, node: ast.Call) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def test_no_template_is_made_of_text() -> None:
    found = [place(*call) for name in ("render_template_string", "from_string", "Template") for call in calls(name)]

    assert found == []


def is_our_own(format: ast.expr) -> bool:
    """Return whether a format is written in the code: a constant, or of one that has a constant's name."""
    if isinstance(format, ast.Call) and ast.unparse(format.func) == "Markup":
        return isinstance(format.args[0], ast.Constant)
    name = format.value if isinstance(format, ast.Subscript) else format
    return isinstance(format, ast.Constant) or (isinstance(name, ast.Name) and name.id.replace("_", "").isupper())


def test_input_is_no_format_string() -> None:
    found = [
        place(path, call)
        for path, call in calls("format")
        # A formatter of logs formats records.
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) != "super()"
        if not is_our_own(call.func.value)
    ]

    assert found == []


def test_markup_only_from_literals() -> None:
    found = [call for call in calls("Markup") if call[1].args and not isinstance(call[1].args[0], ast.Constant)]

    assert [place(*call) for call in found] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_template_escapes_without_inline_code(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"\|\s*safe\b|autoescape\s+false", text)
    assert not re.search(r"""<script(?![^>]*\bsrc=)(?![^>]*\bnonce=)|\son\w+="|javascript:""", text)
    # A mail brings its style with it, as no server sends a policy along; so do nginx's own pages, by its hash.
    assert path.name in ("mail.html", "page.html") or not re.search(r"""<style|\sstyle=["']""", text)


def test_scripts_make_no_markup_of_text() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in SCRIPTS
        for match in re.finditer(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", path.read_text())
    ]

    assert found == []


def test_scripts_store_theme_and_zone() -> None:
    uses = re.compile(r"(?:local|session)Storage\.\w+\([^,)]*|indexedDB|document\.cookie")
    found = {use for path in SCRIPTS for use in uses.findall(path.read_text())}

    assert found <= {"document.cookie", *(f'localStorage.{verb}Item("theme"' for verb in ("get", "set", "remove"))}
    cookies = {path.name: re.findall(r"document\.cookie = (.*);", path.read_text()) for path in SCRIPTS}
    assert {name: written for name, written in cookies.items() if written} == {
        "site.js": ["`${cookie}; path=/; max-age=31536000; samesite=lax`"]
    }


# --- what is served -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/static/", "/static", "/static/../config.py", "/static/%2e%2e/config.py", "/.env"])
def test_static_folder_serves_files_only(sqlite_client: FlaskClient, path: str) -> None:
    assert sqlite_client.get(path).status_code == 404


def test_trace_is_not_answered(sqlite_client: FlaskClient) -> None:
    assert sqlite_client.open("/", method="TRACE").status_code == 405


@pytest.mark.parametrize("path", ["/console", "/?__debugger__=yes&cmd=resource&f=debugger.js", "/_development/upgrade"])
def test_nothing_of_development_is_there(sqlite_app: Flask, path: str) -> None:
    answer = sqlite_app.test_client().get(path)

    assert answer.status_code in (200, 404)
    assert "debugger" not in answer.text.lower()


def test_password_masked_and_pasteable(sqlite_client: FlaskClient) -> None:
    rules = [
        rule for rule in sqlite_client.application.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments
    ]
    pages = {rule.rule: sqlite_client.get(rule.rule, headers={"Accept": "text/html"}).text for rule in rules}
    pattern = re.compile(r"""<input\b[^>]*name="[^"]*password[^>]*>""")
    fields = [(path, field) for path, text in pages.items() for field in pattern.findall(text)]

    assert fields or "security" not in sqlite_client.application.blueprints
    for path, field in fields:
        assert 'type="password"' in field, path
        assert re.search('autocomplete="(?:current|new)-password', field), path
    assert not any("paste" in path.read_text() for path in SCRIPTS)

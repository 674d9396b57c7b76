"""The language of code, documents, templates and tests: words not used, how docstrings begin, how tests are named.

``TO_CLEAN`` lists, by rule, the folders that do not follow it yet. A folder that does is taken off, and stays off.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from pathlib import PurePosixPath

import pytest

from config import ROOT

FOLDERS = (".ci", "alembic", "app", "benchmarks", "core", "docs", "examples", "scripts", "tests")
SUFFIXES = {
    ".py",
    ".md",
    ".html",
    ".js",
    ".css",
    ".txt",
    ".toml",
    ".yaml",
    ".ini",
    ".mako",
    ".conf",
    ".service",
    ".example",
    "",
}
#: Parts of the project though their names begin with a dot.
SHOWN = {".ci", ".env.example"}
#: The quoted texts of earlier releases, and the words themselves.
EXEMPT = {"CHANGES.md", "tests/test_language.py"}

#: The field has a noun or a verb for each: the current user, an anonymous visitor, again, this project's,
#: raise, return. ``file.tell()`` is Python's, "nobody" a user of Unix.
WORDS = re.compile(
    r"(?<![A-Za-z])"
    r"(whoever|whomever|nobody(?![\x22'])|somebody|anew|of\s+ours|told|(?<!\.)tells?|telling)"
    r"(?![A-Za-z])",
    re.IGNORECASE,
)
#: A noun clause where a noun or an imperative verb belongs.
CLAUSES = re.compile(r"(What|Whatever|Who|Whom|Whose|Whether|Where|Which|How|When|That|If)\b")
LONGEST_NAME = 6

#: Folders that break a rule still.
TO_CLEAN: dict[str, set[str]] = {
    "words": set(),
    "docstrings": set(),
    "names": set(),
}


def folder(path: PurePosixPath) -> str:
    """Return the folder that a file counts for: ``core/http``, ``docs``, or a file at the root itself."""
    depth = 2 if path.parts[0] in ("app", "core", "tests") and len(path.parts) > 2 else 1
    return "/".join(path.parts[:depth])


@functools.cache
def texts() -> dict[PurePosixPath, str]:
    paths = [*ROOT.iterdir(), *(path for name in FOLDERS for path in (ROOT / name).rglob("*"))]
    named = {PurePosixPath(path.relative_to(ROOT)): path for path in paths if path.is_file() and _is_read(path)}
    return {name: path.read_text(encoding="utf-8") for name, path in named.items() if str(name) not in EXEMPT}


def _is_read(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    is_hidden = any(part == "node_modules" or (part[0] == "." and part not in SHOWN) for part in parts)
    return path.suffix in SUFFIXES and not is_hidden


def words(found: dict[PurePosixPath, str]) -> Iterator[tuple[PurePosixPath, str]]:
    """Words that have a better one are not used."""
    for path, text in found.items():
        for match in WORDS.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield path, f"line {line}: {match[0]!r}"


def docstrings(found: dict[PurePosixPath, str]) -> Iterator[tuple[PurePosixPath, str]]:
    """A docstring begins with an imperative verb or names the thing."""
    for path, node in _nodes(found):
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        text = ast.get_docstring(node) if isinstance(node, documented) else None
        if text and CLAUSES.match(text):
            yield path, text.partition("\n")[0]


def names(found: dict[PurePosixPath, str]) -> Iterator[tuple[PurePosixPath, str]]:
    """A test's name has at most six words."""
    for path, node in _nodes(found):
        name = node.name if isinstance(node, ast.FunctionDef) and path.name.startswith("test_") else ""
        if name.startswith("test_") and name.count("_") > LONGEST_NAME:
            yield path, name


def _nodes(found: dict[PurePosixPath, str]) -> Iterator[tuple[PurePosixPath, ast.AST]]:
    for path, text in found.items():
        if path.suffix == ".py":
            yield from ((path, node) for node in ast.walk(_parsed(text)))


@functools.cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


RULES = {"words": words, "docstrings": docstrings, "names": names}


@pytest.mark.parametrize("rule", RULES)
def test_language(rule):
    found = list(RULES[rule](texts()))

    assert [f"{path}: {fault}" for path, fault in found if folder(path) not in TO_CLEAN[rule]] == []
    listed = {name for name in TO_CLEAN[rule] if (ROOT / name).exists()}
    assert listed - {folder(path) for path, _ in found} == set(), "clean: take it off the list"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("words", "# Ask nobody.\n"),
        ("words", "of\nours\n"),
        ("words", "def tell_user(): ...\n"),
        ("docstrings", 'def find():\n    """What is found."""\n'),
        ("names", "def test_one_two_three_four_five_six_seven(): ...\n"),
    ],
)
def test_rule_finds_fault(rule, text):
    assert list(RULES[rule]({PurePosixPath("test_one.py"): text}))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("words", "intellect, retold, renewal, file.tell()\n"),
        ("docstrings", 'def find():\n    """Return whether it is found."""\n'),
        ("names", "def test_one_two_three_four_five_six(): ...\n"),
    ],
)
def test_rule_lets_pass(rule, text):
    assert list(RULES[rule]({PurePosixPath("test_one.py"): text})) == []

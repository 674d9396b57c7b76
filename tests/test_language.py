"""The language of code, documents, templates and tests: words not used, how docstrings begin, how tests are named.

``TO_CLEAN`` lists, by rule, the folders that do not follow it yet. A folder that does is taken off, and stays off.
"""

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from pathlib import PurePosixPath

import pytest

from config import ROOT

FOLDERS = (".ci", "alembic", "app", "benchmarks", "core", "docs", "examples", "scripts", "tests")
SUFFIXES = {
    *(".py", ".pyi", ".html", ".js", ".css", ".lua", ".mako", ".md", ".txt", ".in", ".toml", ".yaml", ".yml", ".ini"),
    *(".conf", ".service", ".timer", ".socket", ".env", ".example", ".sh", ".flaskenv", ""),
}
#: Parts of the project though their names begin with a dot.
SHOWN = {".ci", ".env.example", ".flaskenv"}
#: The quoted texts of earlier releases and of the license, and the words themselves.
EXEMPT = {"CHANGES.md", "LICENSE", "tests/test_language.py"}

#: The field has a noun or a verb for each: the current user, an anonymous visitor, again, this project's,
#: raise, return, all users, public. ``file.tell()`` is Python's, "nobody" a user of Unix.
WORDS = re.compile(
    r"(?<![A-Za-z])"
    r"(who(m|ever|mever)|every\s?body|anybody|nobody(?![\x22'])|somebody|anew|of\s+ours|told|(?<!\.)tells?|telling)"
    r"(?![A-Za-z])",
    re.IGNORECASE,
)
#: A noun clause where a noun or an imperative verb belongs.
CLAUSES = re.compile(r"(What|Whatever|Who|Whom|Whose|Whether|Where|Which|How|When|That|If)\b")
LONGEST_NAME = 6
#: A comment that is a noun clause where the noun belongs: "Headers that a page may read", not "What a page may read".
_CLAUSE = r"(What|Whatever|Who|Whoever|Whom|Whose|Whether)\b"
#: The first line of a block; a later line may begin with any word of its sentence.
SHELL = re.compile(rf"(?m)(?:\A|^(?![ \t]*#).*\n)[ \t]*#:?[ \t]*{_CLAUSE}")
COMMENTS = {
    ".html": re.compile(rf"(?:\{{#-?|<!--)\s*{_CLAUSE}"),
    ".js": re.compile(rf"(?<!:)(?://|/\*+)\s*{_CLAUSE}"),
    ".css": re.compile(rf"/\*+\s*{_CLAUSE}"),
    ".lua": re.compile(rf"--\s*{_CLAUSE}"),
}

#: Folders that break a rule still.
TO_CLEAN: dict[str, set[str]] = {
    "words": set(),
    "docstrings": set(),
    "names": set(),
    "comments": set(),
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


def comments(found: dict[PurePosixPath, str]) -> Iterator[tuple[PurePosixPath, str]]:
    """A comment states a reason or names the thing, in every kind of file."""
    for path, text in found.items():
        if path.suffix == ".py":
            yield from ((path, comment) for comment in _first_lines(text) if re.match(rf"#:?\s*{_CLAUSE}", comment))
        elif path.suffix != ".md":
            pattern = COMMENTS.get(path.suffix, SHELL)
            yield from ((path, match[0].strip()) for match in pattern.finditer(text))


@functools.cache
def _first_lines(text: str) -> list[str]:
    """Return the comments of a source in Python, of those that follow each other the first; strings have none."""
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT]
    own_line = {token.start[0] for token in tokens if not token.line[: token.start[1]].strip()}
    return [token.string for token in tokens if token.start[0] - 1 not in own_line]


def _nodes(found: dict[PurePosixPath, str]) -> Iterator[tuple[PurePosixPath, ast.AST]]:
    for path, text in found.items():
        if path.suffix == ".py":
            yield from ((path, node) for node in ast.walk(_parsed(text)))


@functools.cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


RULES = {"words": words, "docstrings": docstrings, "names": names, "comments": comments}


@pytest.mark.parametrize("rule", RULES)
def test_language(rule):
    found = list(RULES[rule](texts()))

    assert [f"{path}: {fault}" for path, fault in found if folder(path) not in TO_CLEAN[rule]] == []
    listed = {name for name in TO_CLEAN[rule] if (ROOT / name).exists()}
    assert listed - {folder(path) for path, _ in found} == set(), "clean: take it off the list"


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        ("words", "one.py", "# Ask nobody.\n"),
        ("words", "one.md", "of\nours\n"),
        ("words", "test_one.py", "def tell_user(): ...\n"),
        ("words", "one.html", "<p>Everybody reads, by whom it was.</p>\n"),
        ("words", "env", "# Anybody\n"),
        ("docstrings", "one.py", 'def find():\n    """What is found."""\n'),
        ("names", "test_one.py", "def test_one_two_three_four_five_six_seven(): ...\n"),
        ("comments", "one.py", "#: What a page may read.\nREAD = 1\n"),
        ("comments", "one.py", "one = 1  # Whether it is one\n# Who is asked.\n"),
        ("comments", "one.html", "{#- Who is signed in. #}\n"),
        ("comments", "one.html", "<!--\n  What is shown -->\n"),
        ("comments", "one.js", "send(); // Whatever was sent\n"),
        ("comments", "one.css", "/* Whose color it is */\n"),
        ("comments", "one.lua", "-- What is sent\n"),
        ("comments", "one.service", "[Unit]\n# What it may write\n"),
        ("comments", "install", "# Whether pip is there\n"),
    ],
)
def test_rule_finds_fault(rule, name, text):
    assert list(RULES[rule]({PurePosixPath(name): text}))


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        ("words", "one.md", "intellect, retold, renewal, file.tell(), everyday bodies\n"),
        ("docstrings", "one.py", 'def find():\n    """Return whether it is found."""\n'),
        ("names", "test_one.py", "def test_one_two_three_four_five_six(): ...\n"),
        ("comments", "one.py", "# Return what was read and\n# What follows it.\n"),
        ("comments", "one.py", 'TEXT = """\n# What is quoted\n"""\n'),
        ("comments", "one.js", 'open("http://What");  // Headers\n'),
        ("comments", "one.css", "a::after { content: 'What' }\n"),
        ("comments", "install", "# Packages, and\n# What they need\n"),
    ],
)
def test_rule_lets_pass(rule, name, text):
    assert list(RULES[rule]({PurePosixPath(name): text})) == []

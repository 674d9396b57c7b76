"""docs/security.md is complete and true: every requirement has its row, and every test that it names exists."""

import ast
import functools
import re
from typing import NamedTuple

import pytest
from flask import Flask

from app.doctor import Check
from app.doctor import Deployment
from app.doctor.examination import collect
from config import ROOT
from core.configuration import ConfigError
from core.platform import platform_of

DOCUMENT = ROOT / "docs" / "security.md"

#: The requirements of ASVS 5.0.0 of levels 1 and 2: section → the numbers of each level. Chapters 10 (OAuth) and
#: 17 (WebRTC) are left out: there is none of either.
REQUIREMENTS = {
    "1.1": ("", "1 2"),
    "1.2": ("1 2 3 4 5", "6 7 8 9"),
    "1.3": ("1 2", "3 4 5 6 7 8 9 10 11"),
    "1.4": ("", "1 2 3"),
    "1.5": ("1", "2"),
    "2.1": ("1", "2 3"),
    "2.2": ("1 2", "3"),
    "2.3": ("1", "2 3 4"),
    "2.4": ("", "1"),
    "3.2": ("1 2", ""),
    "3.3": ("1", "2 3 4"),
    "3.4": ("1 2", "3 4 5 6"),
    "3.5": ("1 2 3", "4 5"),
    "3.7": ("", "1 2"),
    "4.1": ("1", "2 3"),
    "4.2": ("", "1"),
    "4.3": ("", "1 2"),
    "4.4": ("1", "2 3 4"),
    "5.1": ("", "1"),
    "5.2": ("1 2", "3"),
    "5.3": ("1 2", ""),
    "5.4": ("", "1 2 3"),
    "6.1": ("1", "2 3"),
    "6.2": ("1 2 3 4 5 6 7 8", "9 10 11 12"),
    "6.3": ("1 2", "3 4"),
    "6.4": ("1 2", "3 4"),
    "6.5": ("", "1 2 3 4 5"),
    "6.6": ("", "1 2 3"),
    "6.8": ("", "1 2 3 4"),
    "7.1": ("", "1 2 3"),
    "7.2": ("1 2 3 4", ""),
    "7.3": ("", "1 2"),
    "7.4": ("1 2", "3 4 5"),
    "7.5": ("", "1 2"),
    "7.6": ("", "1 2"),
    "8.1": ("1", "2"),
    "8.2": ("1 2", "3"),
    "8.3": ("1", ""),
    "8.4": ("", "1"),
    "9.1": ("1 2 3", ""),
    "9.2": ("1", "2 3 4"),
    "11.1": ("", "1 2"),
    "11.2": ("", "1 2 3"),
    "11.3": ("1 2", "3"),
    "11.4": ("1", "2 3 4"),
    "11.5": ("", "1"),
    "11.6": ("", "1"),
    "12.1": ("1", "2 3"),
    "12.2": ("1 2", ""),
    "12.3": ("", "1 2 3 4"),
    "13.1": ("", "1"),
    "13.2": ("", "1 2 3 4 5"),
    "13.3": ("", "1 2"),
    "13.4": ("1", "2 3 4 5"),
    "14.1": ("", "1 2"),
    "14.2": ("1", "2 3 4"),
    "14.3": ("1", "2 3"),
    "15.1": ("1", "2 3"),
    "15.2": ("1", "2 3"),
    "15.3": ("1", "2 3 4 5 6 7"),
    "16.1": ("", "1"),
    "16.2": ("", "1 2 3 4 5"),
    "16.3": ("", "1 2 3 4"),
    "16.4": ("", "1 2 3"),
    "16.5": ("", "1 2 3"),
}

#: Values of the last column other than a test.
WORDS = ("none here", "yours", "not met")

#: Modules whose rows speak of files and tests that a product without them has deleted.
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


class Row(NamedTuple):
    """A row of the table."""

    number: str
    level: str
    asks: str
    how: str
    held: str


def rows() -> list[Row]:
    table = DOCUMENT.read_text().partition("## ASVS 5.0")[2]
    lines = [line for line in table.splitlines() if re.match(r"\| \d", line)]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


ROWS = rows()


@functools.cache
def functions(path: str) -> set[str]:
    return {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)}


def test_requirements_have_one_ordered_row() -> None:
    wanted = [
        (f"{section}.{number}", str(level))
        for section, levels in REQUIREMENTS.items()
        for number, level in sorted(
            (int(number), level) for level, numbers in enumerate(levels, 1) for number in numbers.split()
        )
    ]

    assert [(row.number, row.level) for row in ROWS] == wanted


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_row_names_what_holds_it(row: Row) -> None:
    assert row.asks
    assert row.how
    named = TEST.findall(row.held)

    assert named or row.held.startswith(WORDS), f"{row.number}: name a test, or say one of {WORDS}"
    assert TEST.sub("", row.held).strip(" ,") == "" or row.held.startswith(WORDS)
    for path, function in named:
        assert (ROOT / path).is_file(), f"{path} is not there"
        assert function in functions(path), f"{path} has no {function}"


def test_files_that_are_named_exist() -> None:
    named = set(re.findall(r"`((?:app|core|docs|scripts)/[\w/.-]+|\w+\.(?:py|txt|toml))`", DOCUMENT.read_text()))

    assert len(named) > 10
    assert [name for name in named if name != "checks.py" and not (ROOT / name).exists()] == []


def test_core_checks_in_document() -> None:
    checks, _ = collect(Deployment(Flask("app"), "production", fault=ConfigError([])))

    assert [line for line in map(write, checks) if line not in DOCUMENT.read_text().splitlines()] == []


def test_module_checks_in_document(sqlite_app: Flask) -> None:
    with sqlite_app.app_context():
        checks, failed = collect(Deployment(sqlite_app, "production"))
    table = DOCUMENT.read_text().partition("<!-- checks -->\n")[2].partition("<!-- /checks -->")[0].splitlines()

    assert failed == []
    assert [line for line in map(write, checks) if line not in table] == []
    # Those of a module that is not installed may stand there as well.
    labels = {module.label for module in platform_of(sqlite_app).modules} | {"core"}
    known = {one.id for one in checks}
    named = [line.split("`")[1] for line in table]
    assert [name for name in named if name.partition(".")[0] in labels and name not in known] == []


def write(one: Check) -> str:
    """Return the row of a check."""
    level = f"{one.level.word}, production" if one.in_production else one.level.word
    return f"| `{one.id}` | {level} | {one.rule} |"

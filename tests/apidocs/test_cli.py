import json
from pathlib import Path

import pytest
from flask import Flask

from app.apidocs import documents
from app.apidocs.cli import WRITTEN
from app.apidocs.differences import compare


def test_committed_document_current(document):
    """Else: `make openapi`, which refuses breaking changes by default."""
    changes = compare(json.loads(WRITTEN.read_text()), document)

    assert [str(change) for change in changes] == []
    assert WRITTEN.read_text() == documents.text(document)


@pytest.fixture
def run_command(sqlite_app: Flask, tmp_path: Path):
    """Run a command on a file of its own."""

    def invoke(command: str, *arguments: str):
        file = str(tmp_path / "openapi.json")
        return sqlite_app.test_cli_runner().invoke(args=["apidocs", command, "--file", file, *arguments])

    return invoke


@pytest.fixture
def write_document(document: documents.Document, tmp_path: Path):
    """Write a document that differs at one place from that of the platform."""

    def write(**values: object) -> None:
        (tmp_path / "openapi.json").write_text(documents.text({**document, **values}))

    return write


def test_written_document_has_no_differences(run_command, tmp_path, document):
    done = run_command("write")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "openapi.json").read_text() == documents.text(document)

    assert run_command("check").exit_code == 0


def test_check_reports_compatible_difference(run_command, write_document):
    write_document(paths={})
    done = run_command("check")

    assert done.exit_code == 1
    assert "compatible: the path " in done.output


def test_check_reports_breaking_difference(run_command, write_document, document):
    write_document(paths={**document["paths"], "/gone": {}})
    done = run_command("check")

    assert done.exit_code == 2
    assert "breaking: the path /gone has gone (#/paths/~1gone)" in done.output


def test_write_refuses_breaking_by_default(run_command, write_document, document, tmp_path):
    write_document(paths={**document["paths"], "/gone": {}})
    before = (tmp_path / "openapi.json").read_text()

    refused = run_command("write")
    assert refused.exit_code == 1
    assert "--breaking" in refused.output
    assert (tmp_path / "openapi.json").read_text() == before
    assert run_command("write", "--breaking").exit_code == 0
    assert run_command("check").exit_code == 0


def test_check_without_file_gives_hint(run_command):
    done = run_command("check")

    assert done.exit_code == 1
    assert "apidocs write" in done.output

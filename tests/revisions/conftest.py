"""Projects whose only module of the platform is this one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.projects import Project
from tests.core.projects import temporary


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Project]:
    """Return an empty project, with a folder, modules and a history of its own."""
    with temporary(tmp_path / "project", monkeypatch, request, ["app.revisions"]) as project:
        yield project

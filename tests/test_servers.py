"""Behaviour of the tests where a server or the browser is missing."""

from pathlib import Path
from typing import Any

import pytest

MISSING = "PostgreSQL is missing: apt install postgresql"


@pytest.fixture
def conftest(request: pytest.FixtureRequest) -> Any:
    return request.config.pluginmanager.get_plugin(str(Path(__file__).with_name("conftest.py")))


@pytest.mark.parametrize("value", ["true", "1"])
def test_missing_server_fails_in_ci(conftest: Any, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.fail.Exception, match="apt install postgresql"):
        conftest.require(None, MISSING)


@pytest.mark.parametrize("value", ["", "false"])
def test_missing_server_skips_elsewhere(conftest: Any, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.skip.Exception, match="apt install postgresql"):
        conftest.require(None, MISSING)


def test_found_server_is_used(conftest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert conftest.require("postgresql://127.0.0.1/", MISSING) is None

"""The security log: its lines as text and as JSON, and that nothing gets into it that must not."""

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from config import ROOT
from core import modules
from core.access import Identity
from core.access import acting_as
from core.access import security_log
from core.platform import platform_of
from services import configure_logging
from settings import INSTALLED_APPS

ADA = Identity(key="7f0c2a5e", name="Ada", via="session")


@pytest.fixture
def read_lines(make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Return what a function writes: ``lines("json", write)``."""
    app = make_app()

    def read(style: str, write: Callable[[], None], **request: str) -> list[str]:
        # It is written whatever the level is.
        configure_logging("CRITICAL", style)
        capsys.readouterr()
        with app.test_request_context("/", environ_base={"REMOTE_ADDR": "192.0.2.1"}, **request):
            write()
        return capsys.readouterr().err.splitlines()

    return read


def events() -> list[str]:
    """Return the events of the platform and of the installed modules."""
    files = [file for module in modules.load(INSTALLED_APPS) if (file := module.file("security_events"))]
    return [*security_log.EVENTS, *(event for file in files for event in file.EVENTS)]


def test_events_are_those_of_installed_modules(make_app):
    app = make_app(None, ["app.home"])
    with app.app_context(), pytest.raises(ValueError, match=r"token\.made"):
        security_log.record("token.made")


def test_line_has_event_user_place(read_lines):
    def write() -> None:
        with acting_as(ADA):
            security_log.record("access.denied", security_log.DENIED, permission="shop.order.edit")

    (line,) = read_lines("text", write)

    assert "WARNING" in line
    assert "andamio.security: event=access.denied outcome=denied who=7f0c2a5e via=session address=192.0.2.1" in line
    assert line.endswith("permission=shop.order.edit")


def test_json_fields_include_request_id(read_lines):
    headers = {"X-Request-ID": "0123456789abcdef"}

    (line,) = read_lines(
        "json", lambda: security_log.record("sign-in.failed", "failure", by="password"), headers=headers
    )

    seen = json.loads(line)
    assert seen["event"] == "sign-in.failed"
    assert seen["outcome"] == "failure"
    assert seen["by"] == "password"
    assert seen["address"] == "192.0.2.1"
    assert seen["request_id"] == "0123456789abcdef"
    assert seen["logger"] == "andamio.security"
    assert seen["level"] == "WARNING"


def test_subject_precedes_current_identity(read_lines):
    def write() -> None:
        with acting_as(ADA):
            security_log.record("role.changed", who="other")

    assert json.loads(read_lines("json", write)[0])["who"] == "other"


def test_record_loads_no_identity(read_lines, make_app):
    app = make_app()
    platform_of(app).identity_loader = lambda: pytest.fail("asked who it is")
    with app.test_request_context("/"):
        security_log.record("sign-out")


def test_command_needs_no_request(caplog):
    security_log.record("account.disabled", who="7f0c2a5e")

    assert caplog.messages == ["event=account.disabled outcome=success who=7f0c2a5e via=command"]


def test_unlisted_event_is_error(make_app):
    app = make_app()
    with app.app_context(), pytest.raises(ValueError, match=r"sign-in\.faled"):
        security_log.record("sign-in.faled")


FORGED = 'x"\r\n2026-01-01 INFO andamio.security: event=sign-in.succeeded who=eve'


@pytest.mark.parametrize("style", ["text", "json"])
def test_value_adds_no_line(read_lines, style):
    (line,) = read_lines(style, lambda: security_log.record("role.changed", role=FORGED))

    assert "\r" not in line


def test_value_adds_no_field(read_lines):
    (line,) = read_lines("text", lambda: security_log.record("role.changed", role=FORGED))

    fields = re.findall(r'(?<= )([a-z]+)=("[^"]*"|[^ "]+)', line)
    assert [name for name, _ in fields] == ["event", "outcome", "address", "role"]


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_event_reads_like_a_secret(read_lines, style):
    """Redact in every line what looks like a secret; the names of events must not."""
    for event in events():
        (line,) = read_lines(
            style, lambda event=event: security_log.record(event, by="password", reason="password reset")
        )
        assert "[filtered]" not in line


def test_secret_value_redacted(read_lines):
    (line,) = read_lines("json", lambda: security_log.record("sign-in.failed", reason="token=0123456789abcdef"))

    assert "0123456789abcdef" not in line


def test_every_event_is_recorded_somewhere():
    sources = [path for folder in ("core", "app") for path in Path(ROOT / folder).rglob("*.py")]
    text = "\n".join(path.read_text() for path in sources if path.name != "security_log.py")

    assert [event for event in events() if f'"{event}"' not in text] == []


def test_level_of_what_is_no_success(caplog):
    caplog.set_level(logging.INFO)
    security_log.record("sign-out")
    security_log.record("token.refused", security_log.FAILURE)
    security_log.record("access.unauthenticated", security_log.DENIED)

    assert [one.levelname for one in caplog.records] == ["INFO", "WARNING", "INFO"]

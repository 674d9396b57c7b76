"""Mails go where MAIL_URL says; by SMTP, to a real server."""

import email
import email.policy
import smtplib
import ssl
import subprocess
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import AuthResult
from flask import Flask

import config as deployment
from app.accounts import mails
from app.accounts.mails import send
from core import modules
from core.configuration import collected
from tests.conftest import SECRET_KEY
from tests.ports import free_port
from tests.processes import until


class Inbox:
    """Takes mails."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.refuse = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuse:
            self.refuse -= 1
            return "451 later"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((mail, session.ssl is not None, session.auth_data))
        return "250 taken"


class Server(Controller):
    """A server that knows its connections: what is open when its loop ends is a warning in a later test."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.connections: list[SMTP] = []
        super().__init__(*args, **options)

    def factory(self) -> SMTP:
        self.connections.append(super().factory())
        return self.connections[-1]

    def stop(self, *args: Any, **options: Any) -> None:
        until(lambda: all(one.transport is None for one in self.connections), "that its clients have gone")
        super().stop(*args, **options)


@pytest.fixture
def start_smtp() -> Iterator[Callable[..., tuple[Inbox, int]]]:
    """Start servers of mail: ``start_smtp()`` gives an inbox and a port."""
    running = []

    def start(**options: Any) -> tuple[Inbox, int]:
        inbox = Inbox()
        # The controller tries the very port that it was given: 0 is none.
        port = free_port()
        running.append(Server(inbox, hostname="127.0.0.1", port=port, **options))
        running[-1].start()
        return inbox, port

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """Return what a server for localhost shows, and the file by which it is trusted."""
    key, shown = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", shown], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, key)
    return context, shown


def wait_for(inbox: Inbox, number: int = 1) -> list[Any]:
    end = time.monotonic() + 120
    while len(inbox.mails) < number and time.monotonic() < end:
        time.sleep(0.02)
    return inbox.mails


def send_to(app: Flask, recipient: str = "ada@example.org", subject: str = "Grüße") -> None:
    with app.test_request_context():
        send(recipient, subject, "Hello <b>you</b>,\n\nfollow this:\n\nhttps://www.example.org/x?a=1&b=2\n")


def test_mail_reaches_a_server(make_app: Callable[..., Flask], start_smtp: Callable[..., tuple[Inbox, int]]) -> None:
    inbox, port = start_smtp()
    send_to(make_app(MAIL_URL=[f"smtp://127.0.0.1:{port}"], MAIL_SENDER="Andamio <no-reply@example.org>"))
    ((mail, _, _),) = wait_for(inbox)
    assert (mail["To"], mail["From"], mail["Subject"]) == ("ada@example.org", "Andamio <no-reply@example.org>", "Grüße")
    assert mail["Message-ID"].endswith("@example.org>")
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert "Hello <b>you</b>" in text
    assert "Hello &lt;b&gt;you&lt;/b&gt;" in html
    assert 'href="https://www.example.org/x?a=1&amp;b=2"' in html


def test_mail_goes_encrypted_and_signed_in(
    make_app: Callable[..., Flask],
    start_smtp: Callable[..., tuple[Inbox, int]],
    certificate: tuple[ssl.SSLContext, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context, shown = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(shown))

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"me", b"p@ss"), auth_data=data.login)

    inbox, port = start_smtp(tls_context=context, auth_required=True, authenticator=authenticate, require_starttls=True)
    send_to(make_app(MAIL_URL=[f"smtp://me:p%40ss@127.0.0.1:{port}"]))
    ((_, is_encrypted, who),) = wait_for(inbox)
    assert (is_encrypted, who) == (True, b"me")
    closed, port = start_smtp(ssl_context=context)
    send_to(make_app(MAIL_URL=[f"smtps://127.0.0.1:{port}"]))
    assert len(wait_for(closed)) == 1


def test_wrong_certificate_sends_nothing(
    sqlite_app: Flask, start_smtp: Callable[..., tuple[Inbox, int]], certificate: tuple[ssl.SSLContext, Path]
) -> None:
    inbox, port = start_smtp(tls_context=certificate[0])
    smtp = mails.Smtp(mails.urlsplit(f"smtp://127.0.0.1:{port}"))
    with pytest.raises(ssl.SSLCertVerificationError):
        smtp.send(email.message.EmailMessage())
    assert inbox.mails == []


def test_remote_server_without_tls_refused(
    start_smtp: Callable[..., tuple[Inbox, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, port = start_smtp()
    monkeypatch.setattr(mails, "LOOPBACK", ())
    smtp = mails.Smtp(mails.urlsplit(f"smtp://127.0.0.1:{port}"))
    with pytest.raises(smtplib.SMTPNotSupportedError):
        smtp.send(email.message.EmailMessage())
    assert inbox.mails == []


def test_busy_server_retried(
    make_app: Callable[..., Flask], start_smtp: Callable[..., tuple[Inbox, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mails, "PAUSES_SECONDS", (0, 0, 0))
    inbox, port = start_smtp()
    inbox.refuse = 2
    send_to(make_app(MAIL_URL=[f"smtp://127.0.0.1:{port}"]))
    assert len(wait_for(inbox)) == 1


def test_server_away_logged_without_waiting(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mails, "PAUSES_SECONDS", (0, 0.01))
    app = make_app(MAIL_URL=["smtp://127.0.0.1:1"])
    send_to(app, subject="Choose a new password")
    app.extensions["accounts"].transports[0].executor.shutdown()
    assert "the mail 'Choose a new password' could not be sent" in caplog.text
    assert "ada@example.org" not in caplog.text
    assert "www.example.org" not in caplog.text


@pytest.mark.parametrize("subject", ["a\nBcc: eve@example.org", "a\r\nX-Evil: 1"])
def test_subject_adds_no_headers(sqlite_app: Flask, subject: str) -> None:
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        send_to(sqlite_app, subject=subject)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("my mail", "my mail"),
        ("a#b", "a#b"),
        ("a?b=1", "a?b=1"),
        ("100%", "100%"),
        ("a%2Cb%23c%25d", "a,b#c%d"),
        ("a%20b", "a b"),
        ("[x]:y", "[x]:y"),
        ("grüße", "grüße"),
    ],
)
def test_mail_folder_as_configured(make_app: Callable[..., Flask], tmp_path: Path, written: str, name: str) -> None:
    # The project's own folder may have any name, too.
    root = tmp_path / "50%25 #1"
    root.mkdir()
    settings = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": "sqlite://", "MAIL_URL": f"folder:mail/{written}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deployment, "ROOT", root)
        placed = collected.load(modules.load(["app.accounts"]), settings)["MAIL_URL"]
    send_to(make_app(MAIL_URL=placed))
    assert len(list((root / "mail" / name).glob("*.eml"))) == 1


def test_development_mail_shown_and_kept(
    make_app: Callable[..., Flask], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    send_to(make_app(MAIL_URL=["console:", f"folder:{tmp_path}/mail"]))
    assert "mail to ada@example.org: Grüße\nHello <b>you</b>" in capsys.readouterr().out
    (file,) = (tmp_path / "mail").glob("*.eml")
    kept = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert kept["To"] == "ada@example.org"

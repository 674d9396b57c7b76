"""Mails: sent by SMTP, or in development shown on the console and kept in a folder.

``MAIL_URL`` says how; see :mod:`app.accounts.keys`. Flask-Mailman was tried and left: its STARTTLS checks no
certificate, so that a man in the middle reads the links that set passwords.
"""

import logging
import smtplib
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import formatdate
from email.utils import make_msgid
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult
from urllib.parse import unquote
from urllib.parse import urlsplit

import click
from flask import Flask
from flask import current_app
from flask import render_template
from flask_security import MailUtil
from flask_security.mail_util import EmailValidateException
from flask_security.utils import get_message

from core.data.outbox import after_commit

from .state import accounts_of
from .users import normalized

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
#: How long to wait before each attempt.
PAUSES_SECONDS = (0, 2, 10)
LOOPBACK = ("localhost", "127.0.0.1", "::1")

Transport = Callable[[EmailMessage], None]


class Mails(MailUtil):
    """Flask-Security's mail interface: normalizes addresses, and sends."""

    def normalize(self, email: str) -> str:
        """Return the address as it is kept."""
        try:
            return normalized(email)
        except ValueError as error:
            raise EmailValidateException(get_message("INVALID_EMAIL_ADDRESS")[0]) from error

    validate = normalize

    def send_mail(
        self,
        template: str,
        subject: str,
        recipient: str | tuple[str, str],
        sender: str | tuple[str, str],
        body: str | None,
        html: str | None,
        **context: Any,
    ) -> None:
        """Send what it has rendered; the HTML is made from the text, so that both say the same."""
        send(str(recipient), str(subject), body or "")


def send(recipient: str, subject: str, text: str) -> None:
    """Send a mail, with its text as HTML beside it, once the transaction that it reports is committed.

    By SMTP it is sent by a thread: the response time must not reveal whether there is an account.
    """
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = current_app.config["MAIL_SENDER"]
    message["To"] = recipient
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=message["From"].addresses[0].domain)
    message.set_content(text)
    message.add_alternative(render_template("accounts/mail.html", subject=subject, text=text.strip()), subtype="html")
    for transport in _transports(current_app):
        after_commit(partial(transport, message))


def _transports(app: Flask) -> list[Transport]:
    """Return what sends the mails of an application, made at its first mail."""
    accounts = accounts_of(app)
    if accounts.transports is None:
        accounts.transports = [_transport(url) for url in app.config["MAIL_URL"]]
    return accounts.transports


def _transport(url: str) -> Transport:
    scheme, _, rest = url.partition(":")
    match scheme.lower():
        case "console":
            return _show
        case "folder":
            # A path, in which nothing has a meaning: `settings.py` has decoded it.
            return Folder(Path(rest))
        case "memory":
            return Memory()
    return Smtp(urlsplit(url))


def _show(message: EmailMessage) -> None:
    """Print a mail as its recipient reads it."""
    body = message.get_body(("plain",))
    text = "" if body is None else body.get_content()
    click.echo(f"--- mail to {message['To']}: {message['Subject']}\n{text}---")


class Memory:
    """Keeps the mails, for tests: ``accounts_of(app).transports[0].messages``."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []

    def __call__(self, message: EmailMessage) -> None:
        self.messages.append(message)


class Folder:
    """Writes each mail into a file that mail programs open."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, message: EmailMessage) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / f"{time.time_ns()}.eml").write_bytes(message.as_bytes())


class Smtp:
    """Hands mails to a server, one after the other, and tries again where it does not take one."""

    def __init__(self, url: SplitResult) -> None:
        self.url = url
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="mail")

    def __call__(self, message: EmailMessage) -> None:
        self.executor.submit(self.send_patiently, message)

    def send_patiently(self, message: EmailMessage) -> None:
        """Send, a few times if need be; what then is not sent is in the log, without its links."""
        for pause in PAUSES_SECONDS:
            time.sleep(pause)
            try:
                return self.send(message)
            except (OSError, smtplib.SMTPException) as error:
                reason = error
        logger.error("the mail %r could not be sent: %r", message["Subject"], reason)

    def send(self, message: EmailMessage) -> None:
        """Send over a connection that cannot be intercepted.

        Within one machine there may be no TLS; anywhere else a server that offers none is not used.
        """
        host, port = self.url.hostname or "", self.url.port
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if self.url.scheme == "smtps":
            server = smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT_SECONDS, context=context)
        else:
            server = smtplib.SMTP(host, port or 587, timeout=TIMEOUT_SECONDS)
        with server:
            server.ehlo()
            if self.url.scheme == "smtp" and (host not in LOOPBACK or server.has_extn("starttls")):
                server.starttls(context=context)
            if self.url.username:
                server.login(unquote(self.url.username), unquote(self.url.password or ""))
            server.send_message(message)

"""Render the files of a deployment into a folder, and say what has changed.

``server/`` is laid out as the server's own tree, ``project/`` as the project's. What holds a secret is
written once and never again: it is the operator's from then on.
"""

import base64
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import Environment
from jinja2 import FileSystemLoader
from jinja2 import StrictUndefined
from jinja2 import select_autoescape

import settings
from core.http.headers import DATA_POLICY
from core.http.headers import PERMISSIONS_POLICY
from core.http.problems import KINDS

from . import site
from .values import Deployment
from .values import Unusable

TEMPLATES = Path(__file__).parent / "templates"

#: Results of writing a file.
WRITTEN, UNCHANGED, KEPT, MISSING, DIFFERENT = "written", "unchanged", "kept", "missing", "different"

#: Template → where its text goes.
FILES = {
    "app.service": "server/etc/systemd/system/{name}.service",
    "app.socket": "server/etc/systemd/system/{name}.socket",
    "migrate.service": "server/etc/systemd/system/{name}-migrate.service",
    "tmpfiles.conf": "server/etc/tmpfiles.d/{name}.conf",
    "command": "server/usr/local/sbin/{name}",
    "gitignore": ".gitignore",
    "nginx.conf": "server/etc/nginx/sites-available/{name}",
    "unknown-hosts.conf": "server/etc/nginx/sites-available/unknown-hosts",
    "logrotate": "server/etc/logrotate.d/{name}",
    "Procfile": "project/Procfile",
    "Dockerfile": "project/Dockerfile",
    "dockerignore": "project/.dockerignore",
    "compose.yaml": "project/compose.yaml",
}
#: Where there is `flask backups`.
BACKUP_FILES = {
    "backup.service": "server/etc/systemd/system/{name}-backup.service",
    "backup.timer": "server/etc/systemd/system/{name}-backup.timer",
}
DAILY_FILES = {
    "daily.service": "server/etc/systemd/system/{name}-daily.service",
    "daily.timer": "server/etc/systemd/system/{name}-daily.timer",
}
#: Characters that some reader of these files takes for the end of a line.
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")

#: Mozilla's intermediate list (ssl-config.mozilla.org, version 5.7) for TLS 1.2, of what has forward secrecy.
CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
#: With secrets in them: each is written once, and may be read by its owner only.
SECRET_FILES = {"env": "env", "compose-app.env": "project/compose/app.env", "compose-db.env": "project/compose/db.env"}

#: The pages that nginx shows by itself, by the names of their files, and what they say.
PAGES = {
    "down": ("unavailable", "The site is being started, or repaired. Nothing that was saved is lost.", 5),
    "too-large": ("too-large", "What was sent is more than this site takes at once. Send less.", 0),
    "too-many": ("too-many-requests", "So many requests came from one address that this one was not looked at.", 1),
}


@dataclass(frozen=True)
class Page:
    """A page that nginx shows by itself.

    :param retry: seconds after which it is worth to try again, 0 if it is not
    :param problem: the same for programs, as nginx quotes it
    """

    name: str
    kind: Any
    detail: str
    retry: int
    problem: str


@dataclass(frozen=True)
class Outcome:
    """State of a file."""

    path: Path
    state: str


def render(app: Flask, deployment: Deployment, folder: Path, *, check: bool = False) -> Iterator[Outcome]:
    """Write all files; one that has its text already is left alone.

    :param check: write nothing, and report what would change
    :raises Unusable: if the application cannot be described to nginx
    """
    texts = dict(_texts(app, deployment))
    for path, text in texts.items():
        yield Outcome(Path(path), _put(folder / path, text, check=check))
    for template, path in SECRET_FILES.items():
        yield Outcome(Path(path), _put_once(folder / path, _fill(template, _context(app, deployment)), check=check))


def text_of(app: Flask, deployment: Deployment, template: str) -> str:
    """Return the text of one file."""
    return _fill(template, _context(app, deployment))


def _texts(app: Flask, deployment: Deployment) -> Iterator[tuple[str, str]]:
    context = _context(app, deployment)
    files = FILES | (BACKUP_FILES if "backups" in app.cli.commands else {}) | (DAILY_FILES if deployment.daily else {})
    for template, path in files.items():
        yield path.replace("{name}", deployment.name), _fill(template, context)
    for page in context["pages"]:
        yield f"server/var/www/{deployment.name}/{page.name}.html", _fill("page.html", {**context, "page": page})


def _context(app: Flask, deployment: Deployment) -> dict[str, Any]:
    limits = site.limits()
    subdomains = "; includeSubDomains" if limits["hsts_subdomains"] else ""
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "deployment": deployment,
        "prefix": app.config["SCRIPT_NAME"],
        "site_name": _site_name(),
        "statics": site.static_folders(app, deployment.root),
        "api_prefixes": site.api_prefixes(app),
        "secret_paths": site.secret_paths(app),
        "max_body_bytes": limits["max_body_bytes"],
        "hsts": f"max-age={limits['hsts_seconds']}{subdomains}" if limits["hsts_seconds"] and deployment.tls else "",
        "data_policy": DATA_POLICY,
        "permissions_policy": PERMISSIONS_POLICY,
        "page_policy": f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'",
        "ciphers": CIPHERS,
        "pages": [_page(name) for name in PAGES],
        "make_secret": secrets.token_urlsafe,
    }


def _site_name() -> str:
    """Return what the site is called; it stands in one line of files that are root's."""
    if _LINE_BREAKS.search(settings.SITE_NAME):
        raise Unusable(f"SITE_NAME {settings.SITE_NAME!r} in settings.py has a line break in it: write it in one line.")
    return settings.SITE_NAME


def _page(name: str) -> Page:
    kind_name, detail, retry = PAGES[name]
    kind = KINDS[kind_name]
    document = {"type": kind.type_url(""), "title": str(kind.title), "status": kind.status, "detail": detail}
    text = json.dumps({**document, "request_id": "$request_id"}, ensure_ascii=False)
    return Page(name, kind, detail, retry, text.replace("\\", "\\\\").replace("'", "\\'"))


def _fill(template: str, context: dict[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template(template).render(context)
    return re.sub(r"\n{3,}", "\n\n", text)


def _put(path: Path, text: str, *, check: bool) -> str:
    data = text.encode()
    if path.is_file() and path.read_bytes() == data:
        return UNCHANGED
    if check:
        return DIFFERENT if path.exists() else MISSING
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: a unit of half a file would be taken for one.
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(data)
    new.chmod(0o755 if text.startswith("#!") else 0o644)
    new.replace(path)
    return WRITTEN


def _put_once(path: Path, text: str, *, check: bool) -> str:
    if path.exists():
        return KEPT
    if check:
        return MISSING
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    return WRITTEN

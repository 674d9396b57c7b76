"""docs/deploy.md is followed line by line, in a Debian that is booted for it.

What stands for the world around a server is in :class:`Server`: the repository, the name that leads to the server,
the registries that packages come from. All else is typed as it is written. What happens meanwhile (visitors, a new
release, an accident) is in :data:`MEANWHILE`, by the heading under which it happens.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

import settings
from tests import documents
from tests.conftest import require
from tests.debian import Debian
from tests.servers import Missing

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "deploy.md"
LEFT = shutil.ignore_patterns(".venv", ".git", ".env", "instance", "__pycache__", ".*_cache", ".hypothesis")
CLONE = "git clone https://git.example.org/andamio.git /srv/andamio"
INSTALL = re.compile(r"apt-get install --yes (?P<packages>.+)")
SET = re.compile(r"(?P<name>[A-Z]+)=(?P<value>.+)")
CERTIFICATE = "/usr/local/share/ca-certificates/andamio.crt"
SHOWN = {"app.example", "app.api", "app.events"}
WITH_DEMOS = pytest.mark.skipif(not set(settings.INSTALLED_APPS) >= SHOWN, reason="visitors use the demos")

#: Signs of a request that failed.
WHY = (
    "tail -5 /var/log/andamio/error.log; grep -E '\"status\":5' /var/log/andamio/access.log | tail -5; "
    "journalctl --unit=andamio --output=short-precise | tail -40"
)

#: The next release: a module with a table of its own.
NEWS = '''"""News, in a table of its own."""

from flask import Blueprint

from services import db

from .models import News

bp = Blueprint("news", __name__, url_prefix="/news")


@bp.get("/")
def index():
    return f"{db.session.query(News).count()} news\\n"
'''
MODELS = '''"""The table of the news."""

from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from services import db


class News(db.Model):
    """A piece of news."""

    __tablename__ = "news_news"

    id: Mapped[int] = mapped_column(primary_key=True)
'''
REVISION = '''"""news"""

import sqlalchemy as sa

from alembic import op

revision = "news"
down_revision = "{head}"


def upgrade():
    op.create_table("news_news", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    op.drop_table("news_news")
'''


class Server:
    """A server, and who follows the document on it."""

    def __init__(self) -> None:
        self.machine = Debian()
        self.folder = "/root"
        self.variables: dict[str, str] = {}
        # The address that a public name server would return.
        with open(self.machine.tree / "etc/hosts", "a") as hosts:
            hosts.write("127.0.0.1 www.example.org\n")
        self.repository = self.machine.tree / "root/repository"
        shutil.copytree(ROOT, self.repository, ignore=LEFT)
        self.commit("as it is")

    def commit(self, message: str) -> None:
        """Keep what is in the repository that the server clones."""
        git = "git -c user.name=you -c user.email=you@example.org -c init.defaultBranch=main -C"
        for command in ("init --quiet", "add --all", f"commit --quiet --message '{message}'"):
            subprocess.run(f"{git} {self.repository} {command}", shell=True, check=True)  # noqa: S602 - of this file

    def follow(self, text: str) -> None:
        """Do what a part of the document says."""
        for block in documents.blocks(text):
            if block.language == "console":
                for command, expected in documents.commands(block.text, "#"):
                    self.type(command, expected)
            elif block.path:
                (self.machine.tree / block.path.lstrip("/")).write_text(block.text)

    def type(self, command: str, expected: str) -> None:
        """Type a line, and compare what it prints; what is served or logged may take a moment."""
        if command.startswith("cd "):
            self.folder = command.removeprefix("cd ")
            return
        if command == "systemctl reboot":
            self.machine.reboot()
            return
        if found := SET.fullmatch(command):
            self.variables[found["name"]] = self.run(f'printf %s "{found["value"]}"').stdout
            return
        online = command == "apt-get update" or command.startswith("scripts/install")
        if found := INSTALL.fullmatch(command):
            self.run(f"apt-get install --yes --download-only {found['packages']}", online=True)
        command = command.replace(CLONE, "git clone /root/repository /srv/andamio")
        for _ in range(50 if command.startswith(("curl", "journalctl", "tail", "jq")) else 1):
            ran = self.run(command, online=online)
            if ran.returncode == 0 and documents.printed(expected).search(ran.stdout):
                return
            time.sleep(0.2)
        pytest.fail(f"# {command}\nexit {ran.returncode}\n{ran.stdout}\n{ran.stderr}\nexpected: {expected}")

    def run(self, command: str, *, online: bool = False) -> subprocess.CompletedProcess[str]:
        for name, value in self.variables.items():
            command = re.sub(rf"\${name}\b", value, command)
        return self.machine.run(command, folder=self.folder, online=online)

    def ask(self, question: str) -> str:
        """Ask the database."""
        return self.run(f'runuser -u postgres -- psql -At andamio -c "{question}"').stdout.strip()

    def get(self, path: str) -> str:
        """Return what the site answers, and its status."""
        return self.run(f"curl -s -w '%{{http_code}}' https://www.example.org{path}").stdout

    @contextmanager
    def visited(self) -> Iterator[dict[str, Any]]:
        """Have visitors; afterwards what came back is in what this yields."""
        (self.machine.tree / "root/stop").unlink(missing_ok=True)
        shutil.copy(ROOT / "tests/deployed_load.py", self.machine.tree / "root")
        visitors = self.machine.start(f"python3 deployed_load.py {CERTIFICATE} stop")
        report: dict[str, Any] = {}
        try:
            yield report
        finally:
            (self.machine.tree / "root/stop").touch()
            output, faults = visitors.communicate(timeout=120)
        assert visitors.returncode == 0, faults
        report.update(json.loads(output))


@contextmanager
def _release(server: Server) -> Iterator[None]:
    head = ScriptDirectory(str(ROOT / "alembic")).get_current_head()
    (server.repository / "app/news").mkdir()
    (server.repository / "app/news/__init__.py").write_text(NEWS)
    (server.repository / "app/news/models.py").write_text(MODELS)
    (server.repository / "alembic/versions/news.py").write_text(REVISION.format(head=head))
    installed = server.repository / "settings.py"
    installed.write_text(
        re.sub(r"(INSTALLED_APPS = \[.*?)\]", r'\1    "app.news",\n]', installed.read_text(), flags=re.S)
    )
    server.commit("publish news")
    with _unnoticed(server):
        yield
    assert server.get("/news/") == "0 news\n200"


@contextmanager
def _accident(server: Server) -> Iterator[None]:
    server.ask("TRUNCATE accounts_user CASCADE")
    yield
    assert server.ask("SELECT email FROM accounts_user") == "you@example.org"


@contextmanager
def _unnoticed(server: Server) -> Iterator[None]:
    before = int(server.ask("SELECT count(*) FROM events_event"))
    with server.visited() as report:
        yield
        # Also who comes after it is served, and while the workers are replaced.
        time.sleep(1)
        assert server.run("systemctl reload andamio").returncode == 0
        time.sleep(1)
    assert report["faults"] == [], server.run(WHY).stdout
    assert set(report["answers"]) == {"200"}
    assert len(report["stored"]) > 20
    assert int(server.ask("SELECT count(*) FROM events_event")) == before + len(report["stored"])


@contextmanager
def _held_table(server: Server) -> Iterator[None]:
    held = "BEGIN; LOCK TABLE example_product; SELECT pg_sleep(300)"
    server.run(f"systemd-run --collect --uid=postgres psql andamio --command '{held}'")
    # A visitor finds out.
    assert server.get("/example/products").endswith("503")
    yield


@contextmanager
def _forgotten_migration(server: Server) -> Iterator[None]:
    server.run("andamio alembic -x database=andamio downgrade -1")
    assert server.get("/news/").endswith("503")
    yield
    assert server.get("/news/") == "0 news\n200"


@contextmanager
def _redis_away(server: Server) -> Iterator[None]:
    server.run("systemctl stop redis-server")
    yield


MEANWHILE = {
    "A lock is held": _held_table,
    "Code and tables do not fit": _forgotten_migration,
    "Redis is away": _redis_away,
    "After an accident": _accident,
    "An upgrade": _release,
    "The way back": _unnoticed,
}


def _parts() -> dict[str, str]:
    """Return the parts of the document by their headings."""
    _, *parts = re.split(r"^##+ (.+)$", DOCUMENT.read_text(), flags=re.M)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture
def server() -> Iterator[Server]:
    try:
        server = Server()
    except Missing as missing:
        require(None, str(missing))
    yield server
    server.machine.stop()


@WITH_DEMOS
def test_document_is_true(server: Server) -> None:
    parts = _parts()
    assert set(MEANWHILE) <= set(parts)
    for heading, part in parts.items():
        with MEANWHILE.get(heading, lambda server: nullcontext())(server):
            server.follow(part)

"""The documents are followed as a reader would: files are written, commands run, answers compared.

A block with a path, ``python path``, is the file to write, ``settings.py`` the list to put there; a block
``console`` has commands after ``$`` and what they print, ``…`` standing for anything. A command
that serves runs on until the document ends, and what is exported counts for those that follow.

All but CONTRIBUTING.md are written for a tree with the demos, and are followed only there. A
product that writes documents of its own deletes this file, or names them here.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

import settings
from core import modules
from core.configuration import collected
from tests import documents
from tests.ports import free_port

ROOT = Path(__file__).parent.parent
SETTINGS = collected.known(modules.load(settings.INSTALLED_APPS))
_DOCS = ("accounts", "api", "modules", "operations", "writing-apis")
FOR_USERS = ("README.md", *(f"docs/{name}.md" for name in _DOCS))
_GUIDES = ("backups", "deploy-files", "design", "security")
FOR_OTHERS = ("CONTRIBUTING.md", "AGENTS.md", "SECURITY.md", *(f"docs/{name}.md" for name in _GUIDES))
FOLLOWED_ELSEWHERE = ("docs/deploy.md",)
DOCUMENTS = [ROOT / name for name in (*FOR_USERS, *FOR_OTHERS, *FOLLOWED_ELSEWHERE)]
SHOWN = {"app.accounts", "app.example", "app.api", "app.events", "app.history", "app.jsonrpc", "app.apidocs"}
WITH_DEMOS = pytest.mark.skipif(not set(settings.INSTALLED_APPS) >= SHOWN, reason="this document shows the demos")
pytestmark = pytest.mark.usefixtures("curl")
SERVES = ("make run", "make demo-site", "python run.py")
ADMINISTRATOR = "flask --app run accounts create-admin you@example.org"
EXPORT = re.compile(r"export (?P<name>[A-Z_]+)=(?P<value>.+)")

#: Commands that would run this very test again, or that CI runs anyway, are only parsed.
INSTEAD = {
    "make test": 'make test ARGS="tests/home"',
    'make test ARGS="-k test_status"': 'make --dry-run test ARGS="-k test_status"',
    "make check": "make --dry-run check",
    "make lock": "make --dry-run lock",
    "make attack": "make --dry-run attack",
    "make pentest": "make --dry-run pentest",
}


class Reader:
    """Follows a document in a copy of the project."""

    def __init__(self, folder: Path, *, installed: bool) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns(".venv", ".git", ".env", "instance", "__pycache__", ".*_cache", ".hypothesis")
        shutil.copytree(ROOT, folder, ignore=ignored)
        if installed:
            self._lend_packages()
        self.port = free_port()
        names = [name for one in SETTINGS for name in one.names(os.environ)]
        kept = {name: value for name, value in os.environ.items() if name not in names}
        path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environ = {**kept, "PATH": path, "PORT": str(self.port)}
        self.servers: list[subprocess.Popen[str]] = []

    def _lend_packages(self) -> None:
        """Make a .venv whose packages are those that run this test."""
        venv = self.folder / ".venv"
        venv.mkdir()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (venv / name).symlink_to(Path(sys.prefix) / name)
        for name in ("requirements.txt", "tests/requirements.txt"):
            shutil.copy(self.folder / name, venv / f"installed-{name.replace('/', '-')}")

    def follow(self, text: str) -> None:
        for block in documents.blocks(text):
            file = self.folder / block.path
            if block.language == "console":
                for command, expected in documents.commands(block.text):
                    self.run(command, expected)
            elif block.path == "settings.py":
                file.write_text(re.sub(r"INSTALLED_APPS = \[.*?\]\n", block.text, file.read_text(), flags=re.S))
            elif block.path:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text.replace(":5000", f":{self.port}"))

    def run(self, command: str, expected: str) -> None:
        if command in SERVES:
            self.serve(command, port=free_port() if command == "make demo-site" else self.port)
            return
        if exported := EXPORT.fullmatch(command):
            ran = self.shell(f'printf %s "{exported["value"]}"')
            assert ran.stdout, f"$ {command}\n{ran.stderr}"
            self.environ[exported["name"]] = ran.stdout
            return
        command = INSTEAD.get(command, command).replace(":5000", f":{self.port}")
        pattern = documents.printed(expected.replace(":5000", f":{self.port}"))
        for _ in range(100 if command.startswith("curl") else 1):
            ran = self.shell(command)
            if ran.returncode == 0 and pattern.search(ran.stdout):
                return
            # The development server may be starting again to take up a new module.
            time.sleep(0.2)
        pytest.fail(f"$ {command}\nexit {ran.returncode}\n{ran.stdout}\n{ran.stderr}\nexpected: {expected}")

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S602 - a document's own line
            command, shell=True, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=300
        )

    def serve(self, command: str, *, port: int, host: str = "127.0.0.1") -> None:
        with (self.folder / "server.log").open("w") as log:
            server = subprocess.Popen(
                command.split(),
                cwd=self.folder,
                env={**self.environ, "PORT": str(port)},
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.servers.append(server)
        ends = time.monotonic() + 60
        while time.monotonic() < ends and server.poll() is None:
            try:
                address = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
                urllib.request.urlopen(address, timeout=30).close()  # noqa: S310 - of this machine
                return
            except OSError:
                time.sleep(0.2)
        pytest.fail(f"$ {command}\n{(self.folder / 'server.log').read_text()}")

    def revision(self) -> str:
        """Return the only revision of the history."""
        (file,) = (self.folder / "alembic" / "versions").glob("*.py")
        return file.read_text()

    def stop(self) -> None:
        for server in self.servers:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(20)


def _without(text: str, heading: str) -> str:
    return re.sub(rf"^## {heading}$.*?(?=^## )", "", text, flags=re.M | re.S)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["README.md"], marks=WITH_DEMOS),
        ["CONTRIBUTING.md"],
        pytest.param(["docs/accounts.md"], marks=WITH_DEMOS),
        pytest.param(["docs/api.md"], marks=WITH_DEMOS),
        pytest.param(["docs/operations.md"], marks=WITH_DEMOS),
        # The second goes on with the library of the first.
        pytest.param(["docs/modules.md", "docs/writing-apis.md"], marks=WITH_DEMOS),
    ],
    ids=lambda names: Path(names[0]).name,
)
def test_document_is_true(names: list[str], tmp_path: Path) -> None:
    text = "".join(_without((ROOT / name).read_text(), "The classic way") for name in names)
    reader = Reader(tmp_path / "project", installed=True)
    try:
        if ":5000" in text and "$ make run" not in text:
            reader.run("make run", "")
        if "you@example.org" in text and ADMINISTRATOR not in text:
            reader.run(ADMINISTRATOR, "")
        reader.follow(text)
    finally:
        reader.stop()


def test_readme_classic_way_is_true(tmp_path: Path) -> None:
    found = re.search(r"^## The classic way$(.*?)(?=^## )", (ROOT / "README.md").read_text(), re.M | re.S)
    assert found
    reader = Reader(tmp_path / "project", installed=False)
    try:
        reader.follow(found[1].replace("$ . .venv/bin/activate\n", ""))
    finally:
        reader.stop()


def _section(heading: str, number: int = 1) -> str:
    """Return a ``sh`` block below a heading of the README, the first by default."""
    found = re.search(rf"^## {heading}$(.*?)(?=^## )", (ROOT / "README.md").read_text(), re.M | re.S)
    assert found
    return re.findall(r"^```sh\n(.*?)^```$", found[1], re.M | re.S)[number - 1]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Reader]:
    """Return a copy where a product has been started as the README says."""
    reader = Reader(tmp_path / "project", installed=True)
    for command in _section("Starting your product").splitlines():
        reader.run(command, "")
    text = (reader.folder / "settings.py").read_text()
    (reader.folder / "settings.py").write_text(re.sub(r'    "app\.(example|api|events)",\n', "", text))
    for command in _section("Starting your product", 2).splitlines():
        reader.run(command, "")
    yield reader
    reader.stop()


@WITH_DEMOS
def test_started_product_keeps_its_tests(started: Reader) -> None:
    """Collect its tests and check its style; `make product` runs them all, in CI."""
    started.run("python -m pytest --quiet --collect-only tests", "")
    started.run("python -m ruff check .", "")


@WITH_DEMOS
def test_readme_product_start_works(started: Reader) -> None:
    assert "core_idempotency_key" in started.revision()
    started.run("flask --app run apidocs check", "")
    started.run("make run", "")
    started.run("curl http://127.0.0.1:5000/", "Installed modules")
    started.run(ADMINISTRATOR, "")
    started.run("flask --app run accounts list", "you@example.org…administrator")


def test_readme_production_is_true(tmp_path: Path, new_database: Callable[[str], URL]) -> None:
    exports, upgrade, serve = _section("The classic way").splitlines()
    reader = Reader(tmp_path / "project", installed=True)
    url = new_database("postgresql").render_as_string(hide_password=False)
    reader.environ["GUNICORN_CMD_ARGS"] = f"--bind=127.0.0.1:{reader.port} --no-control-socket"
    given = exports.replace("SECRET_KEY=…", "SECRET_KEY=0123456789abcdefghijklmnopqrstuvwxyz")
    given = given.replace("DATABASE_URL=postgresql://…", f"DATABASE_URL={url}").removeprefix("export ")
    reader.environ |= dict(word.split("=", 1) for word in given.split())
    try:
        reader.run(upgrade, "")
        reader.serve(serve, port=reader.port, host="www.example.org")
        reader.run('curl -H "Host: www.example.org" http://127.0.0.1:5000/', "Installed modules")
        reader.run("curl http://127.0.0.1:5000/", "is not trusted")
    finally:
        reader.stop()


def test_readme_names_every_setting() -> None:
    rows = "\n".join(f"| `{key.name}` | {key.doc} |" for key in SETTINGS)
    table = f"<!-- settings -->\n| variable | what it is |\n|---|---|\n{rows}\n<!-- /settings -->"
    text = (ROOT / "README.md").read_text()
    assert table in text
    before = text.partition("<!-- settings -->")[0]
    assert [key.name for key in SETTINGS if key.is_secret and f"`{key.name}" not in before] == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")) + DOCUMENTS[:1], ids=lambda path: path.name)
def test_every_curl_line_is_followed(path: Path) -> None:
    """A line that is shown anywhere but after a prompt, in a document that is followed, is run by no test."""
    text = path.read_text()
    followed = documents.blocks(text) if path in DOCUMENTS else []
    lines = [line for block in followed if block.language == "console" for line in block.text.splitlines()]
    shown = re.findall(r"^.*\bcurl -?.*https?://.*$|^[$#]? ?curl .*$", text, re.M)
    assert [line for line in shown if line not in lines] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_document_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []

"""Checks of the files: who may read secrets and write code, and whose secrets they are."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .findings import Deployment
from .findings import Finding
from .findings import Level
from .findings import Needs
from .findings import check

#: Files with secrets of a deployment, from the project's folder.
SECRET_FILES = (".env", "instance/secret_key")

#: The code, from the project's folder.
CODE = ("app", "core", "alembic", "config.py", "services.py", "settings.py", "run.py")

#: Folders that are no source of this project, or are a deployment's own.
_NOT_SOURCE = {"instance", "node_modules", "__pycache__", ".venv", ".env"}


@check("core.secret-readable", Level.ERROR, needs=Needs.NOTHING)
def secret_readable(deployment: Deployment) -> Iterator[Finding]:
    """Only the application's user and group can read the files with secrets."""
    for name in SECRET_FILES:
        path = deployment.root / name
        if path.is_file() and path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            yield Finding(
                f"{name} can be read by every user of this machine, with the secrets in it.",
                f"chmod o-rwx {name}",
                name,
            )


@check("core.secret-published", Level.ERROR)
def secret_published(deployment: Deployment) -> Iterator[Finding]:
    """No secret stands in the project's own files."""
    secrets = [deployment.config["SECRET_KEY"], *deployment.config["SECRET_KEY_FALLBACKS"]]
    wanted = [secret.encode() for secret in secrets if secret]
    for path in sources(deployment.root):
        text = path.read_bytes()
        if any(secret in text for secret in wanted):
            name = path.relative_to(deployment.root).as_posix()
            yield Finding(
                f"SECRET_KEY stands in {name}: anyone with the code can sign in as any user.",
                "Make a new one, and keep it in .env or in the environment.",
                name,
            )


def sources(root: Path) -> Iterator[Path]:
    """Yield the project's own files, without those of a deployment, and without large ones."""
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _NOT_SOURCE and not name.startswith(".")]
        for name in files:
            path = Path(folder, name)
            if name not in _NOT_SOURCE and path.is_file() and path.stat().st_size < 1_000_000:
                yield path


@check("core.code-writable", Level.WARNING, needs=Needs.NOTHING, production=True)
def code_writable(deployment: Deployment) -> Iterator[Finding]:
    """The application cannot change its own code."""
    places = [name for name in CODE if (deployment.root / name).exists()]
    open_to_all = [name for name in places if (deployment.root / name).stat().st_mode & stat.S_IWOTH]
    # Root may write everywhere: core.root reports it.
    own = [name for name in places if os.access(deployment.root / name, os.W_OK)] if os.geteuid() else []
    writable = open_to_all or own
    if writable:
        yield Finding(
            f"{', '.join(writable)} can be written by {'all users' if open_to_all else 'this user'}: who finds a way "
            "to write a file has a way to run code.",
            "Give the code to another user than the one that runs it: chown -R root: . && chmod -R go-w .",
            writable[0],
        )


@check("core.root", Level.WARNING, needs=Needs.NOTHING, production=True)
def root(deployment: Deployment) -> Iterator[Finding]:
    """Nothing runs as root."""
    if os.geteuid() == 0:
        yield Finding(
            "This command runs as root, and cannot see what the application's user may do.",
            "Run the application, and this command, as a user of their own.",
        )


@check("core.source-control", Level.INFO, needs=Needs.NOTHING, production=True)
def source_control(deployment: Deployment) -> Iterator[Finding]:
    """The history of the code is not deployed (ASVS 13.4.1)."""
    if (deployment.root / ".git").exists():
        yield Finding(
            "The history of the code lies beside it (.git). It is not served, but is readable after a break-in.",
            "Deploy without it: git archive HEAD | tar x -C FOLDER.",
            ".git",
        )

"""Follow README's "Starting your product" in a copy of the project, and hold the copy to its checks and tests.

    make product

Its lines are read from the README and run as they stand there. Then `make check` runs in the copy, and all tests that
are left, on SQLite: what another engine does cannot depend on the demos, and is tested with them.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent


def lines() -> list[list[str]]:
    """Return the commands of each block below the heading."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Starting your product$(.*?)(?=^## )", text, re.M | re.S)
    return [block.splitlines() for block in re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)]


def copy(folder: Path) -> None:
    """Copy the project, and lend the copy its packages."""
    ignored = shutil.ignore_patterns(".venv", ".git", ".env", "instance", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, folder, ignore=ignored)
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())


def forget_modules(folder: Path, commands: list[str]) -> None:
    """Delete the lines of settings.py that the README speaks of: of the modules whose folders go."""
    names = sorted({name for line in commands for name in re.findall(r"\bapp/(\w+)", line)})
    path = folder / "settings.py"
    text, count = re.subn(rf'^    "app\.(?:{"|".join(names)})",\n', "", path.read_text(encoding="utf-8"), flags=re.M)
    if count != len(names):
        sys.exit(f"settings.py has {count} of the lines of {', '.join(names)}.")
    path.write_text(text, encoding="utf-8")


def run(folder: Path, command: str) -> bool:
    """Run a command in the copy; return whether it succeeded."""
    click.echo(f"$ {command}")
    environ = {**os.environ, "PATH": f"{folder}/.venv/bin{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, shell=True, cwd=folder, env=environ).returncode == 0  # noqa: S602 - README's line


def main() -> int:
    """Return 0 if all of it went well."""
    with tempfile.TemporaryDirectory(prefix="andamio-product-") as place:
        # Some tests take another user's rights; to them a temporary folder is closed.
        os.chmod(place, 0o755)  # noqa: S103 - it holds no secret
        folder = Path(place, "product")
        copy(folder)
        first, second = lines()
        is_begun = all(run(folder, command) for command in first)
        forget_modules(folder, first)
        is_begun = is_begun and all(run(folder, command) for command in second)
        checks = ("make check", 'make test-all ARGS="--engine sqlite"')
        return int(not all([is_begun, *(run(folder, command) for command in checks)]))


if __name__ == "__main__":
    sys.exit(main())

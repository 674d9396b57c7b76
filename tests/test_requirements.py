"""Requirements are installed as reviewed: every package has one version and the hashes of its files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config import ROOT

FOLDERS = [folder for folder in (".", "tests", "benchmarks") if (ROOT / folder / "requirements.in").is_file()]

#: A pin and what follows it, up to the next: its hashes, and who asks for it.
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?P<rest>[^\n]*(?:\n[ #][^\n]*)*)", re.M)


def pins(path: Path) -> dict[str, str]:
    return {found["name"].lower(): found["rest"] for found in PIN.finditer(path.read_text())}


def named(path: Path) -> set[str]:
    """Return the packages that a ``requirements.in`` names."""
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    return {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in lines if line and not line.startswith("-")}


@pytest.mark.parametrize("folder", FOLDERS)
def test_package_has_one_version_with_hashes(folder: str) -> None:
    found = pins(ROOT / folder / "requirements.txt")

    assert len(found) > 5
    assert [name for name, rest in found.items() if not re.match(r"(\[[^]]*\])?==[\w.!+]+", rest)] == []
    assert [name for name, rest in found.items() if not re.search(r"--hash=sha256:[0-9a-f]{64}", rest)] == []


def test_package_version_same_across_pythons() -> None:
    """A Pipfile has room for one: `pipenv install -r requirements.txt` left a package out that had two."""
    names = [found["name"].lower() for found in PIN.finditer((ROOT / "requirements.txt").read_text())]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_asked_for_is_pinned(folder: str) -> None:
    assert named(ROOT / folder / "requirements.in") - pins(ROOT / folder / "requirements.txt").keys() == set()


def test_nothing_is_installed_without_its_hash() -> None:
    text = (ROOT / "scripts" / "install").read_text()
    fetches = re.findall(r"pip (?:install|wheel) (?:[^\n]*\\\n)*[^\n]*", text)

    assert len(fetches) == 3
    assert all("--require-hashes" in one or "--no-index" in one for one in fetches)
    assert sum("--no-index" in one for one in fetches) == 1


#: Stands for .venv/bin/python: writes down its arguments, has one package, and makes a wheel for each other pin.
PYTHON = r"""#!/bin/bash
echo "$*" >> {folder}/asked
case "$*" in
*distributions*) grep -o "^idna==[^ ]*" {folder}/requirements.txt ;;
*"pip wheel"*)
    for pin in $(grep -o '^[A-Za-z0-9-]*==' "${!#}"); do
        echo "Collecting $pin"
        [ "$pin" = {missing}== ] && exit 1
        touch "{folder}/.venv/wheels/${pin%==}.whl"
    done ;;
*"pip install"*) (cd {folder}/.venv/wheels; echo *.whl) > {folder}/installed ;;
esac
"""


def install(folder: Path, *, missing: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of ``scripts/install`` with pip played by ``PYTHON``, which cannot get the package ``missing``."""
    for name in ("scripts", ".venv/bin"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "scripts" / "install", folder / "scripts")
    shutil.copy(ROOT / "requirements.txt", folder)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(PYTHON.replace("{folder}", str(folder)).replace("{missing}", missing))
    python.chmod(0o755)
    environ = {"PATH": "/usr/bin:/bin"}
    command = [folder / "scripts" / "install", "requirements.txt"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ)


def test_install_gets_what_is_missing(tmp_path: Path) -> None:
    ran = install(tmp_path, missing="none")
    asked = (tmp_path / "asked").read_text().splitlines()
    wheels = (tmp_path / "installed").read_text().split()

    assert (ran.returncode, ran.stderr) == (0, "")
    assert {name.removesuffix(".whl") for name in wheels} == pins(ROOT / "requirements.txt").keys() - {"idna"}
    assert "  10 packages\n  20 packages\n" in ran.stdout
    assert sum("--require-hashes" in line for line in asked) == 4
    assert install(tmp_path, missing="none").stdout == ""


def test_install_missing_package_fails(tmp_path: Path) -> None:
    ran = install(tmp_path, missing="flask")

    assert ran.returncode == 1
    assert "could not be installed, see above" in ran.stderr
    assert not (tmp_path / "installed").exists()
    assert not (tmp_path / ".venv" / "installed-requirements.txt").exists()


@pytest.mark.parametrize("line", ["idna", "idna==3.10", "idna>=3 ; python_version >= '3.11'", "idna[all]"])
def test_package_added_by_hand_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "install", tmp_path / "scripts")
    (tmp_path / ".venv").symlink_to(tmp_path / "python")
    (tmp_path / "python" / "bin").mkdir(parents=True)
    (tmp_path / "python" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "requirements.txt").write_text(f"{(ROOT / 'requirements.txt').read_text()}{line}\n")
    command = [tmp_path / "scripts" / "install", "requirements.txt"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert ran.returncode == 1
    assert f"requirements.txt has no hash for {line.split()[0]}: write the name into requirements.in" in ran.stderr
    assert "run `make lock`" in ran.stderr


def test_readme_says_how_package_is_added() -> None:
    text = (ROOT / "README.md").read_text()

    assert re.search(r"^Add a package .*`requirements\.in`.*`make lock`", text, re.M)


def test_no_other_index_is_asked() -> None:
    """A package of the same name elsewhere is how foreign code gets in (ASVS 15.2.4)."""
    for folder in FOLDERS:
        for name in ("requirements.in", "requirements.txt"):
            assert not re.search(r"index-url|find-links|git\+|https?://", (ROOT / folder / name).read_text())


def test_code_is_searched_for_known_mistakes() -> None:
    """Ruff's S rules are those of bandit."""
    text = (ROOT / "pyproject.toml").read_text()

    assert re.search(r'select = \[[^]]*"S",', text)

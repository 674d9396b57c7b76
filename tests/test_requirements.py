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
    installs = re.findall(r"pip install [^\n]*(?:\\\n[^\n]*)*", text)

    assert len(installs) == 2
    assert all("--require-hashes" in one for one in installs)


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

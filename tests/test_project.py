"""Metadata of the project, and that the commands which its files name exist."""

import json
import os
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def test_pyproject_names_every_module() -> None:
    modules = {path.stem for path in ROOT.glob("*.py")} - {"gunicorn.conf"}
    patterns = SETUPTOOLS["packages"]["find"]["include"]
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert set(SETUPTOOLS["py-modules"]) == modules
    found = {name for name in folders if any(fnmatch(name, pattern) for pattern in patterns)}
    assert found == {"app", "core"}


def test_alembic_folder_shadows_no_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()
    assert not any(fnmatch("alembic", pattern) for pattern in SETUPTOOLS["packages"]["find"]["include"])


@pytest.mark.parametrize("group", ["dependencies", "optional-dependencies"])
def test_dependencies_have_one_source(group: str) -> None:
    """setuptools reads the *.in files itself, which may hold requirements and comments only."""
    found = SETUPTOOLS["dynamic"][group]
    files = [name for source in ([found] if "file" in found else found.values()) for name in source["file"]]
    lines = [line for name in files for line in (ROOT / name).read_text().splitlines() if line.strip()]

    assert group in PROJECT["project"]["dynamic"]
    assert [line for line in lines if not re.match(r"#|[a-z0-9][a-z0-9-]*(\[\w+\])?$", line)] == []


def test_python_version_is_one() -> None:
    tools = PROJECT["tool"]

    assert PROJECT["project"]["requires-python"] == f">={tools['mypy']['python_version']}" == ">=3.11"
    assert tools["ruff"]["target-version"] == "py311"


def _commands() -> dict[str, str]:
    """Return the commands that the files of tools name, by file and name."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    (job,) = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"].values()
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    return {
        **{hook["id"]: hook["entry"] for hook in hooks},
        "ci.yml": next(step["run"] for step in job["steps"] if "run" in step),
        "devcontainer.json": container["postCreateCommand"],
    }


@pytest.mark.parametrize("name", _commands())
def test_commands_of_tools_exist(name: str) -> None:
    words = _commands()[name].removeprefix("sudo ").split()
    programs = [Path(ROOT, word) for word in words if word.startswith((".ci/", "scripts/"))]
    files = [Path(ROOT, word) for word in words if re.search(r"\.(py|txt)$", word)]

    assert programs or words[:2] == [".venv/bin/python", "-m"]
    assert all(os.access(program, os.X_OK) for program in programs)
    assert all(file.is_file() for file in files)


def test_make_check_runs_every_hook() -> None:
    text = (ROOT / "Makefile").read_text()
    hooks = [entry for name, entry in _commands().items() if not name.endswith((".yml", ".json"))]
    wanted = [entry.removeprefix(".venv/bin/python -m ").removesuffix(" --force-exclude") for entry in hooks]

    assert len(wanted) == 4
    assert [command for command in wanted if command not in text] == []


def test_agents_page_names_real_targets() -> None:
    text = (ROOT / "AGENTS.md").read_text()
    targets = set(re.findall(r"`make ([a-z-]+)", text))

    assert targets >= {"run", "check", "test"}
    assert targets <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert len(text.splitlines()) <= 60

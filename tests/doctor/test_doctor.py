"""``flask doctor``: what it runs, what it prints, and how a module adds a check."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.doctor import Deployment
from app.doctor import Finding
from app.doctor import Level
from app.doctor import check
from config import ROOT

Make = Callable[..., Flask]
Write = Callable[..., str]

PLAIN = "from flask import Blueprint\nbp = Blueprint({label!r}, __name__)\n"

CHECKS = '''
from app.doctor import Finding
from app.doctor import Level
from app.doctor import check


@check("corner.dusty", Level.WARNING)
def dust(deployment):
    """The corner is swept."""
    yield Finding("There is dust.", "Sweep.", "the corner")


@check("corner.dark", Level.ERROR, production=True)
def light(deployment):
    """There is light."""
    yield Finding("It is dark.", "Light a lamp.")
'''


@pytest.fixture
def make_checked_app(write_module: Write, make_app: Make) -> Make:
    """Make an application with the module ``corner``, which has these checks, and nothing else wrong."""

    def make(checks: str, **config: object) -> Flask:
        name = write_module("corner", init=PLAIN.format(label="corner"), checks=checks)
        # The secret of the tests stands in their own files.
        return make_app(None, ["app.doctor", name], SECRET_KEY=os.urandom(30).hex(), **config)

    return make


def run(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["doctor", *words])
    return result.exit_code, result.stdout


def ids(output: str) -> list[str]:
    return [one["id"] for one in json.loads(output)["findings"]]


# --- the command --------------------------------------------------------------------------------


def test_finding_has_level_place_and_hint(make_checked_app: Make) -> None:
    code, output = run(make_checked_app(CHECKS))

    assert "warning  corner.dusty  (the corner)\n  There is dust.\n  Hint: Sweep.\n" in output
    assert output.endswith("checks for testing: 1 warning.\n")
    assert code == 0


@pytest.mark.parametrize(
    ("level", "words", "code"),
    [
        ("WARNING", ["--fail-level", "warning"], 1),
        ("INFO", ["--fail-level", "warning"], 0),
        ("ERROR", [], 1),
        ("ERROR", ["--fail-level", "error"], 1),
    ],
)
def test_level_that_fails_is_chosen(make_checked_app: Make, level: str, words: list[str], code: int) -> None:
    assert run(make_checked_app(CHECKS.replace("WARNING", level)), *words)[0] == code


def test_platform_in_tests_has_nothing_wrong(make_checked_app: Make) -> None:
    code, output = run(make_checked_app(""))

    assert output.endswith("checks for testing: all is well.\n")
    assert code == 0


def test_gravest_finding_stands_first(make_checked_app: Make) -> None:
    more = CHECKS.replace("dusty", "wet").replace("dark", "dim").replace("WARNING", "ERROR").replace("def ", "def no_")

    assert ids(run(make_checked_app(CHECKS + more), "--json")[1]) == ["corner.wet", "corner.dusty"]


def test_answer_for_programs_is_an_object(make_checked_app: Make) -> None:
    answer = json.loads(run(make_checked_app(CHECKS), "--json")[1])

    assert answer["findings"][-1] == {
        "id": "corner.dusty",
        "level": "warning",
        "message": "There is dust.",
        "hint": "Sweep.",
        "where": "the corner",
    }
    assert (answer["environment"], answer["production"], answer["skipped"]) == ("testing", False, [])
    assert "corner.dusty" in answer["checks"]
    assert "corner.dark" not in answer["checks"]


def test_colours_are_for_terminals_only(make_checked_app: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = make_checked_app(CHECKS).test_cli_runner()

    assert "\x1b[" not in runner.invoke(args=["doctor"]).output
    assert "\x1b[33mwarning" in runner.invoke(args=["doctor"], color=True).output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in runner.invoke(args=["doctor"], color=True).output


def test_checks_are_listed_without_being_made(make_checked_app: Make) -> None:
    code, output = run(make_checked_app(CHECKS), "--list")

    assert code == 0
    lines = output.splitlines()
    assert "warning  corner.dusty               The corner is swept." in lines
    assert "error    corner.dark                There is light. (production)" in lines
    listed = json.loads(run(make_checked_app(CHECKS), "--list", "--json")[1])
    assert {"id": "corner.dark", "level": "error", "production": True, "rule": "There is light."} in listed
    assert len(listed) == len(lines)


def test_servers_import_no_commands(tmp_path: Path) -> None:
    code = (
        "import run, sys\n"
        "late = ('alembic', *(f'{one.name}.{file}' for one in run.app.extensions['andamio'].modules for file in"
        " ('cli', 'checks', 'encrypted', 'examination', 'rotating', 'render')))\n"
        "sys.exit(' '.join(name for name in late if name in sys.modules and name != 'app.health.examination') or 0)"
    )
    environ = {**os.environ, "SECRET_KEY": "x" * 40, "DATABASE_URL": f"sqlite:///{tmp_path}/site.db"}

    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


# --- production ---------------------------------------------------------------------------------


def test_production_checks_in_production_only(make_checked_app: Make) -> None:
    assert "corner.dark" in ids(run(make_checked_app(CHECKS, APP_ENV="production"), "--json")[1])


def test_deployment_examined_as_production(
    make_checked_app: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/site.db")
    monkeypatch.setenv("SECRET_KEY", "6y0Rk4kBq1nV8wZt3sXeLdUaHgJmPfC" + os.urandom(8).hex())
    found = ids(run(make_checked_app(CHECKS), "--production", "--json")[1])

    assert {"core.environment", "core.hosts-any", "core.database-sqlite"} <= set(found)
    # Values that production sets by itself are no findings.
    assert not {"core.https", "core.cookie-flags", "core.log-text"} & set(found)


def test_deployment_refused_by_production_reported(make_checked_app: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "short")
    code, output = run(make_checked_app(CHECKS), "--production")

    assert "error    core.cannot-start  (SECRET_KEY)" in output
    assert "more can be made once that is cured." in output
    assert code == 1


# --- what is broken -----------------------------------------------------------------------------


def test_failing_check_is_finding(make_checked_app: Make) -> None:
    failing = CHECKS.replace('yield Finding("There is dust."', 'yield 1 / 0, ("There is dust."')
    answer = json.loads(run(make_checked_app(failing, APP_ENV="production"), "--json")[1])
    found = {one["id"]: one for one in answer["findings"]}

    assert found["core.check-broken"]["message"] == "The check 'corner.dusty' failed."
    assert "ZeroDivisionError" in found["core.check-broken"]["hint"]
    assert "corner.dark" in found


def test_unreadable_checks_are_finding(make_checked_app: Make) -> None:
    code, output = run(make_checked_app("import nothing_of_this_name"))

    assert "The checks of 'corner' cannot be read." in output
    assert "nothing_of_this_name" in output
    assert code == 1


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the project, without what a deployment keeps in it."""
    ignored = shutil.ignore_patterns(".*", "instance", "__pycache__", "tests", "node_modules", "benchmarks")
    return Path(shutil.copytree(ROOT, tmp_path / "project", ignore=ignored))


def doctor(project: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flask", "--app", "run", "doctor", *words]
    given = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environ}
    return subprocess.run(command, cwd=project, env=given, capture_output=True, text=True, check=False)


def test_unusable_configuration_reported(project: Path) -> None:
    ran = doctor(project, APP_ENV="production", SECRET_KEY="short", FLASK_DEBUG="1", PORT="0")

    assert ran.returncode == 1
    for key in ("SECRET_KEY", "FLASK_DEBUG", "PORT"):
        assert f"error    core.cannot-start  ({key})" in ran.stdout
    assert "In .env or in the environment: write a whole number from 1 to 65535." in ran.stdout
    assert ran.stderr == ""


def test_unimportable_module_reported(project: Path) -> None:
    (project / "app" / "home" / "routes.py").write_text("import nothing_of_this_name\n")
    ran = doctor(project, "--json")

    assert ran.returncode == 1
    (fault,) = [one for one in json.loads(ran.stdout)["findings"] if one["id"] == "core.cannot-start"]
    assert "nothing_of_this_name" in fault["message"]
    assert fault["hint"]


def test_broken_deployment_still_lists_the_checks(project: Path) -> None:
    ran = doctor(project, "--list", APP_ENV="production")

    assert ran.returncode == 0
    assert "core.cannot-start" in ran.stdout


# --- making a check -----------------------------------------------------------------------------


@pytest.mark.parametrize("identity", ["dusty", "corner.", "Corner.dusty", "corner.is_dusty", "corner.dusty.old"])
def test_id_that_is_none_is_refused(identity: str) -> None:
    with pytest.raises(ValueError, match="is no id of a check"):
        check(identity, Level.INFO)


def test_check_without_a_rule_is_refused() -> None:
    def look(deployment: Deployment) -> Iterator[Finding]:
        yield from ()

    with pytest.raises(ValueError, match="has no docstring"):
        check("corner.dusty", Level.INFO)(look)

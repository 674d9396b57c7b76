"""``flask doctor``: what it prints, for people and for programs."""

import json
import os
import textwrap
from typing import Any

import click
from flask import Flask

from core.configuration.collected import variables
from core.platform import platform_of

from .examination import Diagnosis
from .examination import Examination
from .examination import as_production
from .examination import collect
from .examination import examine
from .findings import Check
from .findings import Deployment
from .findings import Level

COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.INFO: "cyan"}


def run(app: Flask, *, production: bool, as_json: bool, fail_level: str) -> int:
    """Examine this application and print what is found.

    :param production: whether to examine it as it would start in production
    :param fail_level: ``error`` or ``warning``: what makes the exit code 1
    :return: the exit code
    """
    named = app.config["APP_ENV"]
    deployment = Deployment(app, named, named == "production", platform_of(app).start_fault)
    if production and not deployment.is_production:
        deployment = as_production(deployment, variables())
    examination = examine(deployment)
    _echo(_as_json(examination) if as_json else _as_text(examination))
    graves = [level for level in Level if level >= Level[fail_level.upper()]]
    return int(any(examination.count(level) for level in graves))


def list_checks(app: Flask, *, as_json: bool) -> None:
    """Print every check: its level, its id, and what should be so."""
    with app.app_context():
        checks, _ = collect(Deployment(app, "", fault=platform_of(app).start_fault))
    if as_json:
        _echo(json.dumps([_describe(one) for one in checks], indent=2))
        return
    for one in checks:
        _echo(f"{_level(one.level)}  {one.id:26} {one.rule}{' (production)' if one.in_production else ''}")


def _echo(text: str) -> None:
    # click removes colours where the output is no terminal; https://no-color.org.
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)


# --- for people ---------------------------------------------------------------------------------


def _as_text(examination: Examination) -> str:
    parts = [_write(one) for one in examination.diagnoses]
    environment = "production" if examination.deployment.is_production else examination.deployment.named
    counts = [_count(examination, level) for level in reversed(Level) if examination.count(level)]
    summary = f"{len(examination.run)} checks for {environment}: {', '.join(counts) or 'all is well'}."
    if examination.skipped:
        summary += f" {len(examination.skipped)} more can be made once that is cured."
    return "\n\n".join([*parts, summary])


def _write(one: Diagnosis) -> str:
    finding = one.finding
    head = f"{_level(one.check.level)}  {click.style(one.check.id, bold=True)}"
    head += f"  ({finding.where})" if finding.where else ""
    return "\n".join([head, _indent(finding.message), _indent(f"Hint: {finding.hint}")])


def _indent(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="  ", break_long_words=False)


def _level(level: Level) -> str:
    return click.style(f"{level.word:7}", fg=COLOURS[level])


def _count(examination: Examination, level: Level) -> str:
    number = examination.count(level)
    word = "note" if level is Level.INFO else level.word
    return f"{number} {word}{'' if number == 1 else 's'}"


# --- for programs -------------------------------------------------------------------------------


def _as_json(examination: Examination) -> str:
    deployment = examination.deployment
    return json.dumps(
        {
            "environment": deployment.named,
            "production": deployment.is_production,
            "findings": [_finding(one) for one in examination.diagnoses],
            "checks": [one.id for one in examination.run],
            "skipped": [one.id for one in examination.skipped],
        },
        indent=2,
    )


def _finding(one: Diagnosis) -> dict[str, Any]:
    finding = one.finding
    return {
        "id": one.check.id,
        "level": one.check.level.word,
        "message": finding.message,
        "hint": finding.hint,
        "where": finding.where,
    }


def _describe(one: Check) -> dict[str, Any]:
    return {"id": one.id, "level": one.level.word, "production": one.in_production, "rule": one.rule}

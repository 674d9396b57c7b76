"""``flask health check``: the checks with all details, for operators."""

import json
import sys

import click

from .examination import FAIL
from .examination import WARN
from .examination import examiner
from .routes import describe

COLOURS = {FAIL: "red", WARN: "yellow"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print an object for programs.")
def check(as_json: bool) -> None:
    """Try whether this site works; the exit code is 1 if it is not ready."""
    report = examiner().report()
    if as_json:
        checks = [describe(result, True) for result in report.results]
        click.echo(json.dumps({"ready": report.is_ready, "checks": checks}, indent=2))
    else:
        for result in report.results:
            word = click.style(f"{result.outcome:4}", fg=COLOURS.get(result.outcome, "green"))
            click.echo(f"{word}  {result.check.name:24} {result.message or result.check.rule}")
            for module, places in result.parts.items():
                click.echo(f"      {module}: {', '.join(places)}")
            if result.hint:
                click.echo(f"      Hint: {result.hint}")
    sys.exit(0 if report.is_ready else 1)

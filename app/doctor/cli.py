"""``flask doctor``."""

import sys

import click
from flask import current_app

from core.cli import works_without_app

from . import reports


@click.command()
@click.option("--production", is_flag=True, help="Examine it as it would start in production.")
@click.option("--json", "as_json", is_flag=True, help="Print an object for programs.")
@click.option("--fail-level", type=click.Choice(["error", "warning"]), default="error", show_default=True)
@click.option("--list", "lists", is_flag=True, help="Name the checks, and run none.")
@works_without_app
def doctor(production: bool, as_json: bool, fail_level: str, lists: bool) -> None:
    """Check this deployment, and print what to do.

    The exit code is 1 if there is an error, or with --fail-level=warning a warning.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # of the proxy
    if lists:
        reports.list_checks(app, as_json=as_json)
    else:
        sys.exit(reports.run(app, production=production, as_json=as_json, fail_level=fail_level))

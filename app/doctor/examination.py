"""Examine a deployment: collect the checks of the platform and of the modules, and run them."""

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from sqlalchemy import text

import settings
from core import faults
from core import modules
from core.configuration import ConfigError
from core.configuration import collected
from core.factory import create_app
from core.platform import platform_of
from services import db

from . import answers
from . import configuration
from . import databases
from . import files
from . import programs
from . import stores
from .findings import Check
from .findings import Deployment
from .findings import Finding
from .findings import Level
from .findings import Needs
from .findings import check

#: The platform's own checks, in the order in which they are run.
PLATFORM = (configuration, files, programs, answers, databases, stores)


@dataclass(frozen=True)
class Diagnosis:
    """A finding, and the check that made it."""

    check: Check
    finding: Finding


@dataclass(frozen=True)
class Examination:
    """Result of an examination.

    :param skipped: the checks that could not look, for want of an application or a database
    """

    deployment: Deployment
    run: list[Check]
    skipped: list[Check]
    diagnoses: list[Diagnosis]

    def count(self, level: Level) -> int:
        """Return how many findings have this level."""
        return sum(one.check.level is level for one in self.diagnoses)


@check("core.check-broken", Level.ERROR, needs=Needs.NOTHING)
def broken(deployment: Deployment) -> Iterator[Finding]:
    """Every check can be made."""
    # Its findings are made where a check fails.
    yield from ()


def examine(deployment: Deployment) -> Examination:
    """Run all checks that concern this deployment; the gravest findings first."""
    diagnoses: list[Diagnosis] = []
    with deployment.app.app_context():
        has = _what_there_is(deployment)
        checks, failed = collect(deployment)
        diagnoses += [Diagnosis(broken, finding) for finding in failed]
        concerned = [one for one in checks if deployment.is_production or not one.in_production]
        run = [one for one in concerned if one.needs <= has]
        for one in run:
            diagnoses += _look(one, deployment)
    diagnoses.sort(key=lambda one: -one.check.level)
    return Examination(deployment, run, [one for one in concerned if one.needs > has], diagnoses)


def collect(deployment: Deployment) -> tuple[list[Check], list[Finding]]:
    """Return the checks, each id once, and what keeps a module's from being read."""
    failed: list[Finding] = []
    found = [broken, *(one for file in PLATFORM for one in _within(file))]
    for module in modules.installed(deployment.app) if deployment.fault is None else ():
        try:
            file = module.file("checks")
        except Exception as error:
            failed.append(
                Finding(f"The checks of {module.name!r} cannot be read.", _repair(error), f"{module.name}.checks")
            )
            continue
        found += _within(file) if file else []
    known: dict[str, Check] = {}
    for one in found:
        if known.setdefault(one.id, one) is not one:
            failed.append(Finding(f"Two checks have the id {one.id!r}: only the first is made.", "Rename one.", one.id))
    return list(known.values()), failed


def as_production(deployment: Deployment, environ: Mapping[str, str]) -> Deployment:
    """Return the deployment as it would start with ``APP_ENV=production``.

    :param environ: the variables of the deployment
    """
    # One that cannot start has no modules: then those of settings.py are reported.
    names = [one.name for one in platform_of(deployment.app).modules] or settings.INSTALLED_APPS
    try:
        app = create_app(collected.load(modules.load(names), {**environ, "APP_ENV": "production"}), names)
    except (ConfigError, modules.ModuleError) as error:
        return Deployment(deployment.app, deployment.named, is_production=True, fault=error, root=deployment.root)
    return Deployment(app, deployment.named, is_production=True, root=deployment.root)


def _within(file: ModuleType) -> list[Check]:
    return [value for value in vars(file).values() if isinstance(value, Check)]


def _what_there_is(deployment: Deployment) -> Needs:
    if deployment.fault is not None:
        return Needs.NOTHING
    try:
        with db.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except Exception:
        # Any fault of it is reported by the check of the database.
        return Needs.APP
    return Needs.DATABASE


def _look(one: Check, deployment: Deployment) -> list[Diagnosis]:
    try:
        return [Diagnosis(one, finding) for finding in one.look(deployment)]
    except Exception as error:
        return [Diagnosis(broken, Finding(f"The check {one.id!r} failed.", _repair(error), one.id))]
    finally:
        db.session.remove() if deployment.fault is None else None


def _repair(error: Exception) -> str:
    return f"Repair it: {faults.describe(error)}"

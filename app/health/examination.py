"""Make the checks of all modules, each in a thread of its own: one that hangs does not keep the answer waiting.

What was found counts for a second, so that who asks often costs no more, and who asks at the same time waits for
the same answer. A check that has not come back is not started again at once: threads and connections would pile up.
"""

import inspect
import logging
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError
from dataclasses import dataclass
from dataclasses import field
from threading import Lock
from typing import Any

from flask import Flask
from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from core.data import threads
from core.modules import ModuleError
from core.modules import offers
from core.signals import app_ready

from .terms import CheckFailed
from .terms import Terms

logger = logging.getLogger(__name__)

PASS = "pass"
WARN = "warn"
FAIL = "fail"

_LINES = {
    PASS: (logging.INFO, "is well again"),
    WARN: (logging.WARNING, "is restricted"),
    FAIL: (logging.ERROR, "fails"),
}

#: Seconds for which an answer counts.
FRESH_SECONDS = 1.0

#: A check that has not come back is tried again after so many seconds, then after twice as many, and so on: it may
#: wait on a connection whose other end is gone for good.
AGAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Check:
    """One check.

    :param name: ``accounts.session_store``
    :param rule: what should be so
    """

    name: str
    rule: str
    function: Callable[[], Any]
    terms: Terms


@dataclass(frozen=True)
class Result:
    """Result of one check.

    :param outcome: ``pass``, ``warn`` or ``fail``
    :param message: for those who may know; empty if all is well
    :param parts: what is missing, by module
    """

    check: Check
    outcome: str
    milliseconds: float
    message: str = ""
    hint: str = ""
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """Results of all checks, in the order of the modules."""

    results: Sequence[Result]
    made_at: float

    @property
    def is_ready(self) -> bool:
        """Return whether requests should be sent here."""
        return all(result.outcome != FAIL for result in self.results)

    def failed(self, name: str) -> bool:
        """Return whether one check has failed."""
        return any(result.check.name == name and result.outcome == FAIL for result in self.results)


class Examiner:
    """Makes the checks of one application."""

    def __init__(self, app: Flask, checks: Sequence[Check]) -> None:
        self.app = app
        self.checks = checks
        self.trials = {check.name: _Trial(app, check) for check in checks}
        #: State of checks between two runs: a client of Redis, and tables by what they are named after.
        self.redis: Any = None
        self.tables: dict[Any, Any] = {}
        self._lock = Lock()
        self._report = Report([], -AGAIN_SECONDS)
        self._outcomes: dict[str, str] = {}

    def report(self) -> Report:
        """Return what is found, or was within the last second."""
        with self._lock:
            if time.monotonic() - self._report.made_at >= FRESH_SECONDS:
                self._report = self._examine()
            return self._report

    def _examine(self) -> Report:
        for trial in self.trials.values():
            trial.start()
        results = [self.trials[check.name].result() for check in self.checks]
        for result in results:
            self._log(result)
        return Report(results, time.monotonic())

    def _log(self, result: Result) -> None:
        """Say once that something has begun to fail, and once that it is over."""
        name = result.check.name
        if result.outcome == self._outcomes.get(name, PASS):
            return
        self._outcomes[name] = result.outcome
        level, words = _LINES[result.outcome]
        # No colon after the name: what follows "session_store:" would be filtered as a secret.
        logger.log(level, "%s %s. %s %s", name, words, result.message, result.hint)


class _Trial:
    """One check as it is being made; it may outlive several reports."""

    def __init__(self, app: Flask, check: Check) -> None:
        self.app = app
        self.check = check
        self.future: Future[Any] = Future()
        self.future.cancel()
        self.started = 0.0
        #: True if it took too long the last time: it is not waited for then, the next report has its result.
        self.is_slow = False
        #: How often it was started while the last one had not come back.
        self.hung = 0

    def start(self) -> None:
        """Begin, unless the last run is not over yet, or its result not reported yet."""
        if not self.future.done():
            if time.monotonic() - self.started >= AGAIN_SECONDS * 2**self.hung:
                self.hung += 1
                self._begin()
        elif not self.is_slow or time.monotonic() - self.started > AGAIN_SECONDS:
            self.is_slow = False
            self._begin()

    def _begin(self) -> None:
        self.started = time.monotonic()
        self.future = threads.begin(self._run, f"health {self.check.name}")

    def _run(self) -> tuple[Any, float]:
        # As in a request, whose limits for statements hold then, and which on SQLite only reads.
        with self.app.test_request_context("/"):
            return self.check.function(), time.monotonic()

    def result(self) -> Result:
        """Return what comes back within the time limit."""
        failed = FAIL if self.check.terms.essential else WARN
        limit = self.check.terms.seconds
        patience = 0.0 if self.is_slow else max(0.0, self.started + limit - time.monotonic())
        try:
            remark, ended = self.future.result(patience)
        except Exception as error:
            if isinstance(error, TimeoutError) and not self.future.done():
                self.is_slow = True
                return self._result(failed, f"No answer within {limit:g} seconds.")
            found = self._failure(failed, error)
            if self.is_slow:
                self._begin()
            return found
        self.is_slow = False
        self.hung = 0
        taken = (ended - self.started) * 1000
        return Result(self.check, WARN if remark else PASS, taken, str(remark or ""))

    def _failure(self, outcome: str, error: Exception) -> Result:
        if isinstance(error, CheckFailed):
            return self._result(outcome, str(error), error.hint, error.parts)
        return self._result(outcome, _describe(error))

    def _result(
        self, outcome: str, message: str, hint: str = "", parts: Mapping[str, Sequence[str]] | None = None
    ) -> Result:
        return Result(self.check, outcome, (time.monotonic() - self.started) * 1000, message, hint, parts or {})


def _describe(error: Exception) -> str:
    """Return an error in a line, without the statement and what was bound to it."""
    cause = getattr(error, "orig", None) or error if isinstance(error, SQLAlchemyError) else error
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0]}" if lines else type(cause).__name__


# --- which there are ----------------------------------------------------------------------------


@app_ready.connect
def collect(app: Flask) -> None:
    """Find the checks of an application that has this module."""
    if "health" in app.blueprints:
        app.extensions["health"] = Examiner(app, list(_checks(app)))


def examiner() -> Examiner:
    """Return what makes the checks of the current application."""
    found: Examiner = current_app.extensions["health"]
    return found


def _checks(app: Flask) -> Iterator[Check]:
    for module, file in offers(app, "health"):
        for name, function in vars(file).items():
            is_own = inspect.isfunction(function) and function.__module__ == file.__name__
            if not is_own or name.startswith("_"):
                continue
            if inspect.signature(function).parameters:
                raise ModuleError(
                    f"{file.__name__}.{name} takes parameters: a check takes none. If it is no check, call it _{name}."
                )
            rule = " ".join((inspect.getdoc(function) or name).partition("\n\n")[0].split())
            yield Check(f"{module.label}.{name}", rule, function, getattr(function, "health", Terms()))

"""Work that may hang, in a thread that need not be waited for."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def begin(work: Callable[[], Result], name: str) -> "Future[Result]":
    """Start work in a thread of its own, which does not keep the process from ending.

    ``begin(work, "name").result(seconds)`` raises TimeoutError if it takes longer; the work goes on.
    """
    future: Future[Result] = Future()
    Thread(target=_run, args=(future, work), name=name, daemon=True).start()
    return future


def _run(future: "Future[Result]", work: Callable[[], Result]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)

"""The files of the core that take part in one request: what a reader must open to follow it. No pytest here."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from werkzeug.test import TestResponse

from config import ROOT


def files_of(send: Callable[[], TestResponse]) -> set[str]:
    """Return the files of the core of which a function runs while a request is answered."""
    # Work done once for each process or application does not count.
    send()
    found = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        found.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        response = send()
    finally:
        sys.setprofile(None)
    assert response.status_code < 400, response.text
    return {Path(name).relative_to(ROOT).as_posix() for name in found if name.startswith(f"{ROOT}/core/")}

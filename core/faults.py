"""Place of an error in the project's own files, in one line."""

import sysconfig
import traceback
from pathlib import Path

#: Frames that are never the cause: Python, packages, and the loader of modules.
_ELSEWHERE = (
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    str(Path(__file__).parent),
    "<",
)


def describe(error: BaseException) -> str:
    """Return ``app/shop/routes.py, line 3: ZeroDivisionError: division by zero``."""
    what = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
    return f"{place(error)}: {what}"


def place(error: BaseException) -> str:
    """Return the file and line of the last step that was in the project's own files."""
    if isinstance(error, SyntaxError) and error.filename:
        return _write(error.filename, error.lineno)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_ELSEWHERE)]
    return _write(own[-1].filename, own[-1].lineno) if own else "an unknown place"


def _write(filename: str, line: int | None) -> str:
    path = Path(filename)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown}, line {line}"

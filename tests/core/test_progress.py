import os

import pytest

from core.cli import progress


def test_progress_bar_on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stderr, os.fdopen(ours, "rb", buffering=0) as screen:
        monkeypatch.setattr("sys.stderr", stderr)
        with progress.progress("Counting", 4) as advance:
            advance(1)
            advance(1)
        stderr.write("end")
        stderr.flush()
        shown = b""
        while not shown.endswith(b"end"):
            shown += screen.read(100_000)

    assert b"Counting" in shown
    assert b"50%" in shown
    assert b"100%" in shown


def test_progress_lines_without_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    with progress.progress("Counting", 2000) as advance:
        advance(1000)

    assert capsys.readouterr().err == "Counting: 1,000 of 2,000 (50 %)\nCounting: done.\n"

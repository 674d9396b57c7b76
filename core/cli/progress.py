"""Progress of a long command: a bar on a terminal, a line now and then elsewhere; both on standard error."""

import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

import click

#: Seconds between two lines where there is no terminal.
LINE_SECONDS = 10.0

#: Reports that so many more are done.
Advance = Callable[[int], None]


@contextmanager
def progress(label: str, total: int) -> Iterator[Advance]:
    """Show how much of the total is done; it may be an estimate."""
    if sys.stderr.isatty():
        with click.progressbar(length=max(total, 1), label=label, file=sys.stderr) as bar:
            yield bar.update
            bar.update(max(bar.length or 0, bar.pos) - bar.pos)
    else:
        yield _lines(label, total)
        click.echo(f"{label}: done.", err=True)


def _lines(label: str, total: int) -> Advance:
    done, reported = 0, time.monotonic()

    def advance(more: int) -> None:
        nonlocal done, reported
        done += more
        if time.monotonic() - reported >= LINE_SECONDS:
            reported = time.monotonic()
            click.echo(
                f"{label}: {min(done, total):,} of {total:,} ({min(100, 100 * done // max(total, 1))} %)", err=True
            )

    return advance

"""A dump on the disk: a folder with a compressed file of JSON lines for each table, and a manifest.

A file is written in pieces, each a gzip member of its own, so that what a killed dump has left can be cut
where its last piece ended, and gone on with.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import orjson

from .digests import Digest
from .faults import TransferError

FORMAT = 1

MANIFEST = "manifest.json"

#: The manifest until the dump is whole.
UNFINISHED = "unfinished.json"


@dataclass
class TableState:
    """Part of a table in its file.

    :param kinds: of each column, in the order in which they stand in a line
    :param last: the key of the last row, as it is in the line
    :param size: bytes of the file that count
    :param sequence: the last number that the database gave to a new row, so that none is given twice
    """

    kinds: dict[str, str]
    rows: int = 0
    digest: str = "0"
    last: list[Any] | None = None
    size: int = 0
    is_whole: bool = False
    sequence: int | None = None


@dataclass
class Manifest:
    """Manifest of a dump.

    :param snapshots: the moments that its tables show: more than one if it was broken off and gone on with
    """

    id: str
    engine: str
    revisions: list[str]
    snapshots: list[str]
    tables: dict[str, TableState]
    format: int = FORMAT

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


def read_manifest(folder: Path, name: str = MANIFEST) -> Manifest | None:
    """Return the manifest, ``None`` if there is none.

    :raises TransferError: if it cannot be read
    """
    path = folder / name
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise TransferError(f"{path} has format {found['format']}, this code reads {FORMAT}: use newer code.")
        tables = {table: TableState(**state) for table, state in found.pop("tables").items()}
        for table, state in tables.items():
            _check(table, state)
        return Manifest(**found, tables=tables)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TransferError(f"{path} cannot be read ({error}): dump again.") from error


def _check(table: str, state: TableState) -> None:
    is_whole = isinstance(state.kinds, dict) and all(isinstance(kind, str) for kind in state.kinds.values())
    is_whole &= isinstance(state.digest, str) and isinstance(state.last, list | None)
    is_whole &= all(type(count) is int and count >= 0 for count in (state.rows, state.size))
    if not is_whole or type(state.sequence) not in (int, type(None)):
        raise ValueError(f"what it says of {table} is not what a dump says")


def write_manifest(folder: Path, manifest: Manifest, name: str = MANIFEST) -> None:
    """Write the manifest, all or nothing."""
    part = folder / f".{name}.part"
    with open(part, "w", encoding="utf-8", opener=_private) as file:
        json.dump(asdict(manifest), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / name)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def file_of(folder: Path, table: str) -> Path:
    """Return where the rows of a table are."""
    return folder / f"{table}.jsonl.gz"


@dataclass
class TableWriter:
    """Writes the rows of one table, from where its state says."""

    folder: Path
    name: str
    state: TableState
    _digest: Digest = field(init=False)
    _lines: bytearray = field(init=False, default_factory=bytearray)

    def __post_init__(self) -> None:
        self._digest = Digest(self.state.kinds, self.state.digest)
        self._file = open(file_of(self.folder, self.name), "ab", opener=_private)  # noqa: SIM115 - closed below
        # Rows after the last checkpoint do not count.
        self._file.truncate(self.state.size)

    def add(self, row: list[Any]) -> None:
        """Take a row."""
        line = orjson.dumps(row)
        self._digest.add(row, line)
        # Not a list: each text of orjson keeps the kilobytes that it was written in.
        self._lines += line + b"\n"
        self.state.rows += 1

    def checkpoint(self, last: list[Any] | None) -> None:
        """Bring all rows so far to the disk, and note how far that is."""
        if self._lines:
            piece = gzip.compress(self._lines, compresslevel=3, mtime=0)
            self._file.write(piece)
            self._lines.clear()
        self._file.flush()
        os.fsync(self._file.fileno())
        self.state.size = self._file.tell()
        self.state.digest = str(self._digest)
        self.state.last = last

    def close(self) -> None:
        self._file.close()


def read_rows(folder: Path, name: str, skip: int = 0) -> Iterator[tuple[list[Any], bytes]]:
    """Yield each row with its line.

    :raises TransferError: if the file is damaged
    """
    path = file_of(folder, name)
    try:
        with gzip.open(path, "rb") as lines:
            for number, line in enumerate(lines):
                if number >= skip:
                    text = line.rstrip(b"\n")
                    row = orjson.loads(text)
                    if not isinstance(row, list):
                        raise ValueError(f"line {number + 1} is no row")
                    yield row, text
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise TransferError(f"{path} is damaged ({error}): dump again. Nothing of it was loaded.") from error


def remove(folder: Path, name: str) -> None:
    """Delete a file of the folder, if it is there."""
    with suppress(FileNotFoundError):
        (folder / name).unlink()

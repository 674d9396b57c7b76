"""Files of variables, ``.env`` or what systemd and Docker read: some are set, all else stays as it is."""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding
from dotenv.parser import parse_stream

#: Characters that every reader of such files takes as they stand, also within single quotes.
_PLAIN = re.compile(r"[A-Za-z0-9_.:/+=,@%-]*")
_QUOTABLE = re.compile(r"[^'\\\r\n$`]*")

#: A line that sets something: what is before its value, and what after.
_LINE = re.compile(
    r"""(?xs)
    (?P<before> \s* (?:export[^\S\r\n]+)? [^=\#\s]+ [^\S\r\n]* = [^\S\r\n]* )
    (?: '(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" | [^\r\n]*? )
    (?P<after> (?:[^\S\r\n]+\#[^\r\n]*)? [^\S\r\n]* (?:\r\n|\n|\r|$) )
    """
)


class EnvFileError(Exception):
    """A file of variables cannot be changed; the message says why."""


class EnvFile:
    """One file: what it sets, and its text with other values."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self._bindings = list(parse_stream(StringIO(text)))

    def get(self, name: str) -> str:
        """Return what a variable is set to; empty where it is not.

        :raises EnvFileError: if it is set twice
        """
        values = [one.value or "" for one in self._bindings if one.key == name]
        if len(values) > 1:
            raise EnvFileError(f"{self.path} sets {name} more than once: delete the lines that do not count.")
        return values[0] if values else ""

    def changed(self, values: Mapping[str, str], after: str) -> str:
        """Return the text with these values.

        :param after: the variable after which those stand that are not there yet
        :raises EnvFileError: if it would not be read as it is meant
        """
        there = {one.key for one in self._bindings}
        new = [f"{name}={_written(name, value)}" for name, value in values.items() if name not in there]
        text = "".join(self._with(one, values, new if one.key == after else []) for one in self._bindings)
        self._check(text, values)
        return text

    def _with(self, one: Binding, values: Mapping[str, str], new: list[str]) -> str:
        line = one.original.string
        if one.key is not None and one.key in values:
            parts = _LINE.fullmatch(line)
            if parts is None:
                raise EnvFileError(f"{self.path}, line {one.original.line} cannot be changed: write NAME=value.")
            line = f"{parts['before']}{_written(one.key, values[one.key])}{parts['after']}"
        if not new:
            return line
        ending = "\r\n" if line.endswith("\r\n") else "\n"
        return line.rstrip("\r\n") + "".join(f"{ending}{one}" for one in new) + ending

    def _check(self, text: str, values: Mapping[str, str]) -> None:
        wanted = {one.key: one.value for one in self._bindings if one.key} | dict(values)
        if {one.key: one.value for one in parse_stream(StringIO(text)) if one.key} != wanted or any(
            dotenv_values(stream=StringIO(text)).get(name) != value for name, value in values.items()
        ):
            raise EnvFileError(f"{self.path} would not be read as it is meant: change it by hand.")


def _written(name: str, value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    if not _QUOTABLE.fullmatch(value):
        raise EnvFileError(f"{name} has letters that not every reader of such a file takes: change it by hand.")
    return f"'{value}'"


@contextmanager
def changing(path: Path) -> Iterator[EnvFile]:
    """Read a file, and write it when its ``text`` was changed: all of it or nothing, with its mode and its owner.

    :raises EnvFileError: if it cannot be read or written
    """
    try:
        path = path.resolve(strict=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            # Another process that changes it waits, and then finds what is written here.
            fcntl.flock(folder, fcntl.LOCK_EX)
            with path.open(encoding="utf-8", newline="") as file:
                found = EnvFile(path, file.read())
            before = found.text
            yield found
            if found.text != before:
                _replace(path, found.text)
                os.fsync(folder)
        finally:
            os.close(folder)
    except FileNotFoundError as error:
        raise EnvFileError(f"There is no file {path}: name the one that sets SECRET_KEY, --file PATH.") from error
    except OSError as error:
        raise EnvFileError(f"{path} cannot be changed: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise EnvFileError(f"{path} is no text in UTF-8.") from error


def _replace(path: Path, text: str) -> None:
    kept = path.stat()
    # Only its owner can read a temporary file.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fchown(handle, kept.st_uid, kept.st_gid)
            os.fchmod(handle, kept.st_mode & 0o7777)
            os.fsync(handle)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise

"""Readers of values: each takes the text of a variable, and raises ``ValueError("write …")`` if it cannot be read."""

import re
from collections.abc import Callable
from pathlib import Path


def boolean(text: str) -> bool:
    """Read true or false, as people write them."""
    values = {"1": True, "true": True, "yes": True, "on": True}
    values |= {"0": False, "false": False, "no": False, "off": False}
    if text.lower() not in values:
        raise ValueError("write true or false")
    return values[text.lower()]


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within these limits."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(text)

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a reader of one of these words, in any case."""

    def parse(text: str) -> str:
        for word in choices:
            if text.lower() == word.lower():
                return word
        raise ValueError(f"write one of {', '.join(choices)}")

    return parse


def words(text: str) -> list[str]:
    """Read a list that is separated by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def path_in(folder: Path) -> Callable[[str], str]:
    """Return a reader of paths; a relative one is in this folder, not in the current one."""

    def parse(text: str) -> str:
        if "\0" in text or not (folder / text).name:
            raise ValueError("write the path of a file")
        return str(folder / text)

    return parse

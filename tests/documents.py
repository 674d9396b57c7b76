"""Instructions of a document: files to write, commands to type, and what they print. No pytest here."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<path>\S+))?\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass
class Block:
    """A block of code.

    :param path: of the file that the block is, if it says one
    """

    language: str
    path: str
    text: str


def shown(page: str) -> list[str]:
    """Return the command lines that a page of HTML shows, as they are copied from it."""
    codes = re.findall(r"<pre[^>]*><code>(curl .*?)</code></pre>", page, re.S)
    return [html.unescape(code) for code in codes]


def blocks(text: str) -> Iterator[Block]:
    """Return the blocks of a document that say what they are, in order."""
    for found in _BLOCK.finditer(text):
        yield Block(found["language"], found["path"] or "", found["text"])


def commands(text: str, prompt: str = "$") -> Iterator[tuple[str, str]]:
    """Return each command of a block ``console``, and what it prints."""
    for part in re.split(rf"^{re.escape(prompt)} ", text, flags=re.M)[1:]:
        # A backslash at its end continues a line.
        command, _, expected = part.replace("\\\n", "").partition("\n")
        yield command, expected.strip()


def printed(expected: str) -> re.Pattern[str]:
    """Return what finds an output, in which ``…`` stands for anything."""
    return re.compile(".*".join(map(re.escape, expected.split("…"))), re.S)

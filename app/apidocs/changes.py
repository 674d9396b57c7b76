"""One change of a document, and how they are found among what has names."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.http.problems import Path
from core.http.problems import pointer

Part = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One difference.

    :param path: where in the new document, or in the old one for what has gone
    """

    path: Path
    text: str
    is_breaking: bool = False

    @property
    def place(self) -> str:
        """The path as a JSON Pointer."""
        return pointer(self.path)

    def __str__(self) -> str:
        return f"{'breaking' if self.is_breaking else 'compatible'}: {self.text} ({self.place})"


def compare_named(
    old: Part,
    new: Part,
    path: Path,
    noun: str,
    compare: Callable[[Any, Any, Path], Iterable[Change]],
    *,
    breaks: Callable[[str, Any], bool] = lambda name, part: False,
) -> Iterator[Change]:
    """Compare what has the same name in both; to lose one breaks.

    :param noun: what one is
    :param breaks: whether a new one breaks
    """
    for name in old.keys() | new.keys():
        here = (*path, name)
        if name not in new:
            yield Change(here, f"the {noun} {name} has gone", is_breaking=True)
        elif name not in old:
            yield Change(here, f"the {noun} {name} is new", breaks(name, new[name]))
        else:
            yield from compare(old[name], new[name], here)


def resolve(document: Part, part: Part) -> Part:
    """Follow a reference; what stands beside it stays."""
    while "$ref" in part:
        target: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        part = {**target, **{name: value for name, value in part.items() if name != "$ref"}}
    return part

"""Contents of a database: its tables with their rows, and its Alembic revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from .archives import BackupError


@dataclass(frozen=True)
class Contents:
    """Contents of a database at the moment of a backup; the words are the manifest's."""

    server: str
    revisions: list[str]
    tables: dict[str, int]
    others: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


def compare(expected: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Do nothing if these are the same tables with as many rows.

    :raises BackupError: naming the tables that differ
    """
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if names:
        differences = "; ".join(
            f"{name}: {_count(found.get(name))} instead of {_count(expected.get(name))}" for name in names[:5]
        )
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise BackupError(f"The rows are not those that were counted when the backup was taken ({differences}{more}).")


def _count(count: int | None) -> str:
    return "no table" if count is None else f"{count:,}"

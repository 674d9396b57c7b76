"""Resources of this machine that a deployment may use."""

import os
import re
from collections.abc import Iterator
from math import ceil
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Count the cores that this process may compute on: no more than a container's or a unit's limit.

    :param root: where ``/proc`` and ``/sys`` are
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([count, *map(ceil, _limits(root))]))


def _limits(root: Path) -> Iterator[float]:
    """Give the limits of the groups that this process is in, each in cores (cgroups(7))."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            for folder in _upwards(root / "sys/fs/cgroup", path):
                yield from _cores(_read(folder / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for folder in _upwards(root / "sys/fs/cgroup/cpu", path):
                yield from _cores(" ".join(map(_read, (folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"))))


def _upwards(top: Path, path: str) -> Iterator[Path]:
    # Inside of a container the path may be that on the host, of which only the top is to be seen.
    folder = top / path.lstrip("/")
    yield folder
    while folder != top and top in folder.parents:
        folder = folder.parent
        yield folder


def _cores(text: str) -> Iterator[float]:
    # "max 100000" and "-1 100000" are no limit.
    found = re.fullmatch(r"([1-9]\d*)\s+([1-9]\d*)\s*", text)
    if found:
        yield int(found[1]) / int(found[2])


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

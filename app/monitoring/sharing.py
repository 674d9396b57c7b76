"""Values that the processes of a service count together, for all metrics of prometheus-client.

Its own class for that opens files while modules are imported, in commands as well, needs a notice of each process that
has ended, and fails where it cannot write. Here a value is in memory until the process answers its first request;
from then on it is in a file of :mod:`.folders` too, and where that cannot be, it stays in memory.

The registry of prometheus-client is one for each process, as are these values: of several applications in one
process, the first that answers says where.
"""

import logging
import os
import struct
import threading
from array import array
from pathlib import Path
from typing import Any
from weakref import WeakSet

from prometheus_client import REGISTRY
from prometheus_client import disable_created_metrics
from prometheus_client import values
from prometheus_client.mmap_dict import mmap_key

from .cells import Cells
from .folders import Folder

logger = logging.getLogger(__name__)


class _State:
    """The files that this process has opened."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with nothing, and with a lock that no thread of a parent holds."""
        self.lock = threading.RLock()
        #: True once this process has answered a request.
        self.has_begun = False
        self.folder: Folder | None = None
        self.files: dict[str, Cells] = {}


state = _State()
_values: "WeakSet[SharedValue]" = WeakSet()


def install() -> list[str]:
    """Let all metrics that are made from now on have shared values; those that were made before have none."""
    early = [metric.name for metric in REGISTRY.collect() if not metric.name.startswith(("process_", "python_"))]
    values.ValueClass = SharedValue
    # When a value was made in this process says nothing of what is counted over many.
    disable_created_metrics()
    return early


def begin(path: Path | None) -> None:
    """Count together from now on with the other processes that share a folder.

    :param path: ``None`` for this process alone
    """
    with state.lock:
        if state.has_begun:
            return
        state.has_begun = True
        if path is None:
            return
        try:
            state.folder = Folder(path)
            for value in list(_values):
                value.attach()
        except OSError as error:
            _stay_alone(path, error)


def _stay_alone(path: Path, error: Exception) -> None:
    logger.warning("each process counts for itself: %s cannot be used (%s); set METRICS_FOLDER", path, error)
    state.folder = None
    for value in list(_values):
        value.detach(value.get())
    state.files.clear()


def _reset() -> None:
    """Start from nothing, in a child: what its parent has counted is the parent's."""
    inherited = state.folder
    state.reset()
    if inherited is not None:
        inherited.leave()
    for value in list(_values):
        value.detach(0.0)


os.register_at_fork(after_in_child=_reset)


class SharedValue:
    """A float, as prometheus-client wants one for each sample."""

    _multiprocess = True

    def __init__(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: Any,
        labelvalues: Any,
        help_text: str,
        multiprocess_mode: str = "",
        **_: Any,
    ) -> None:
        self._kind = f"{typ}_{multiprocess_mode}" if typ == "gauge" else typ
        self._key = mmap_key(metric_name, name, labelnames, labelvalues, help_text)
        self._cells: memoryview[float] | array[float] = array("d", (0.0, 0.0))
        self._cell = 0
        with state.lock:
            _values.add(self)
            if state.folder is not None:
                try:
                    self.attach()
                except OSError as error:
                    _stay_alone(state.folder.path, error)

    def attach(self) -> None:
        """Go on from what is in this process's file."""
        before = self.get()
        self._cells, self._cell = _open(self._kind).place(self._key)
        self._cells[self._cell] += before

    def detach(self, value: float) -> None:
        """Be in memory only."""
        self._cells, self._cell = array("d", (value, 0.0)), 0

    def add(self, amount: float) -> None:
        """Add to it, while the lock is held."""
        self._cells[self._cell] += amount

    def inc(self, amount: float) -> None:
        """Add to it."""
        with state.lock:
            self.add(amount)

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Set it."""
        with state.lock:
            self._cells[self._cell] = value
            self._cells[self._cell + 1] = timestamp or 0.0

    def get(self) -> float:
        """Return what this process has counted, with what it has taken over."""
        return self._cells[self._cell]

    def set_exemplar(self, exemplar: Any) -> None:
        """Ignore it, as prometheus-client does over several processes."""

    def get_exemplar(self) -> None:
        """Return that there is none."""


def _open(kind: str) -> Cells:
    if kind not in state.files and state.folder is not None:
        path = state.folder.file(kind)
        try:
            state.files[kind] = Cells(path)
        except (ValueError, struct.error) as error:
            logger.warning("%s was broken, and is created again: %s", path, error)
            path.unlink()
            state.files[kind] = Cells(path)
    return state.files[kind]

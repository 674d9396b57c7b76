"""Gathers what all processes of this service on this machine have counted."""

import logging
import os
import platform
import struct
from collections import deque
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import nullcontext
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from . import sharing

logger = logging.getLogger(__name__)


class Counted(Collector):
    """Samples from the shared folder, or of this process alone; and the system's figures for each process."""

    def __init__(self, environment: str) -> None:
        self._environment = environment

    def collect(self) -> Iterable[Metric]:
        """Return all metrics."""
        shared = sharing.state.folder
        with shared.locked() if shared else nullcontext():
            pids = shared.processes() if shared else [os.getpid()]
            counted = list(_merged(shared.files()) if shared else _own())
        yield from counted
        yield from _processes(pids)
        yield _info(self._environment)


def gather(environment: str) -> list[Metric]:
    """Return all metrics."""
    return list(Counted(environment).collect())


def encode(environment: str, accept: str) -> tuple[bytes, str]:
    """Return all metrics as the collector can read them, and what kind of text that is.

    :param accept: the header of the request
    """
    registry = CollectorRegistry()
    registry.register(Counted(environment))
    write, content_type = choose_encoder(accept)
    return write(registry), content_type


def _merged(paths: Iterable[Path]) -> Iterable[Metric]:
    found = [str(path) for path in paths if _is_readable(path)]
    metrics: Iterable[Metric] = MultiProcessCollector.merge(found)
    return metrics


def _is_readable(path: Path) -> bool:
    try:
        deque(MmapedDict.read_all_values_from_file(str(path)), maxlen=0)
    except (OSError, ValueError, RuntimeError, struct.error) as error:
        # One that is broken, by a disk or by hand, is no reason to know nothing.
        logger.warning("%s cannot be read, delete it: %s", path, error)
        return False
    return True


def _own() -> Iterator[Metric]:
    """Return what is in memory; what prometheus-client says of the process itself is said below."""
    for metric in REGISTRY.collect():
        if not metric.name.startswith(("process_", "python_")):
            yield metric


def _processes(pids: Iterable[int]) -> Iterator[Metric]:
    memory = GaugeMetricFamily("process_resident_memory_bytes", "Memory of a process.", labels=["pid"])
    cpu = CounterMetricFamily("process_cpu_seconds", "Time of a processor that a process took.", labels=["pid"])
    start = GaugeMetricFamily("process_start_time_seconds", "When a process began.", labels=["pid"])
    for pid in pids:
        try:
            resident, seconds, began = _of_process(pid)
        except (OSError, ValueError, IndexError):
            # It has just ended, or this system shows nothing of its processes.
            continue
        memory.add_metric([str(pid)], resident)
        cpu.add_metric([str(pid)], seconds)
        start.add_metric([str(pid)], began)
    yield from (memory, cpu, start)


def _of_process(pid: int) -> tuple[float, float, float]:
    """Return the bytes, the seconds and the beginning of a process (proc(5))."""
    ticks = os.sysconf("SC_CLK_TCK")
    # Its name stands in brackets, and may have any character.
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    resident = int(words[21]) * os.sysconf("SC_PAGE_SIZE")
    return resident, (int(words[11]) + int(words[12])) / ticks, _boot_time() + int(words[19]) / ticks


@lru_cache
def _boot_time() -> int:
    lines = Path("/proc/stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("btime "))


def _info(environment: str) -> Metric:
    labels = {"environment": environment, "python": platform.python_version()}
    labels |= {name: version(name) for name in ("flask", "sqlalchemy", "werkzeug")}
    metric = GaugeMetricFamily("app_info", "What is running.", labels=list(labels))
    metric.add_metric(list(labels.values()), 1)
    return metric

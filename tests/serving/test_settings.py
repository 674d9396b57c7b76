"""Settings of a server: of this machine, and of the environment."""

import os
import re
import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.serving import settings
from core.serving.machine import usable_cores
from tests.processes import GUNICORN
from tests.processes import ROOT

UNIT = "system.slice/andamio.service"
WORKER = "core.serving.worker.Worker"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"}, 1),
        ({"proc/self/cgroup": f"0::/{UNIT}\n", f"sys/fs/cgroup/{UNIT}/cpu.max": "300000 100000\n"}, 3),
        # The unit has no limit, its slice has.
        ({"proc/self/cgroup": f"0::/{UNIT}\n", "sys/fs/cgroup/system.slice/cpu.max": "400000 100000\n"}, 4),
        # The path is that on the host, of which a container sees only its own part, at the top.
        ({"proc/self/cgroup": "0::/docker/1f\n", "sys/fs/cgroup/cpu.max": "500000 100000\n"}, 5),
        (
            {
                "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/x\n",
                "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "600000\n",
                "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
            },
            6,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            8,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "6400000 100000\n"}, 8),
    ],
)
def test_usable_cores_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == cores


@pytest.fixture
def read_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., settings.Serving]]:
    def with_variables(cores: int = 4, **variables: str) -> settings.Serving:
        for name, value in {"APP_ENV": "testing", "DATABASE_URL": "sqlite://", **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(settings, "usable_cores", lambda: cores)
        settings.read.cache_clear()
        return settings.read()

    yield with_variables
    settings.read.cache_clear()


PRODUCTION = {"APP_ENV": "production", "SECRET_KEY": "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"}


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({}, "127.0.0.1:8000"),
        ({"PORT": "5001"}, "127.0.0.1:5001"),
        ({**PRODUCTION}, "127.0.0.1:8000"),
        ({**PRODUCTION, "PORT": "5001"}, "0.0.0.0:5001"),
        ({**PRODUCTION, "PORT": "5001", "HOST": "10.0.0.1"}, "10.0.0.1:5001"),
        ({**PRODUCTION, "HOST": "10.0.0.1"}, "10.0.0.1:8000"),
        ({"HOST": "::1"}, "[::1]:8000"),
        ({**PRODUCTION, "PORT": ""}, "127.0.0.1:8000"),
    ],
)
def test_platform_port_binds_all_interfaces(
    read_settings: Callable[..., settings.Serving], variables: dict[str, str], address: str
) -> None:
    assert read_settings(**variables).address == address


@pytest.mark.parametrize(
    ("cores", "variables", "workers"),
    [(1, {}, 2), (4, {}, 4), (64, {}, 16), (4, {"WEB_CONCURRENCY": "1"}, 1), (4, {"WEB_CONCURRENCY": "40"}, 40)],
)
def test_workers_are_as_many_as_cores(
    read_settings: Callable[..., settings.Serving], cores: int, variables: dict[str, str], workers: int
) -> None:
    assert read_settings(cores, **variables).workers == workers


# --- gunicorn.conf.py ---------------------------------------------------------------------------


def gunicorn(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/bin:/bin", "APP_ENV": "testing", "DATABASE_URL": "sqlite://", **variables}
    return subprocess.run([*GUNICORN, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=90)


@pytest.mark.parametrize(
    ("arguments", "variables", "found"),
    [
        ([], {"WEB_CONCURRENCY": "3"}, {"bind": "['127.0.0.1:8000']", "workers": "3", "wsgi_app": "run:app"}),
        (
            ["-b", "0.0.0.0:8000", "run:app"],
            {},
            {"bind": "['0.0.0.0:8000']", "worker_class": "core.serving.worker.Worker"},
        ),
        (["--workers", "4", "--bind", "0.0.0.0:5000", "run:app"], {}, {"bind": "['0.0.0.0:5000']", "workers": "4"}),
        (
            ["--workers", "3", "--bind", "unix:myproject.sock", "-m", "007", "run:app"],
            {"PORT": "8001"},
            {"bind": "['unix:myproject.sock']", "workers": "3", "umask": "7"},
        ),
        ([], {"GUNICORN_CMD_ARGS": "--timeout 60", "LOG_LEVEL": "WARNING"}, {"timeout": "60", "loglevel": "warning"}),
        ([], {}, {"control_socket_disable": "True", "secure_scheme_headers": "{}", "forwarder_headers": "[]"}),
    ],
)
def test_command_lines_are_taken(arguments: list[str], variables: dict[str, str], found: dict[str, str]) -> None:
    ran = gunicorn("--print-config", *arguments, **variables)
    assert ran.returncode == 0, ran.stderr
    said = dict(re.findall(r"^(\w+)\s+= (.*)$", ran.stdout, re.M))
    assert {name: said[name] for name in found} == found


@pytest.mark.parametrize(
    ("variables", "sentence", "code"),
    [
        ({"PORT": "abc"}, "PORT is 'abc': write a whole number from 1 to 65535", 3),
        ({"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY is '0': write a whole number from 1 to 1000", 3),
        ({"WEB_THREADS": "many", "ACCESS_LOG": "perhaps"}, "ACCESS_LOG is 'perhaps': write true or false", 3),
        # gunicorn looks at this one before it looks at the file.
        ({"FORWARDED_ALLOW_IPS": "nginx"}, "'nginx' does not appear to be an IPv4 or IPv6 network", 1),
    ],
)
def test_invalid_variable_ends_start(variables: dict[str, str], sentence: str, code: int) -> None:
    ran = gunicorn(**variables)
    assert sentence in ran.stderr
    assert (ran.returncode, "Traceback" in ran.stderr) == (code, False)

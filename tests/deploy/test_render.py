"""The files of ``flask deploy render``, and values that it refuses."""

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

import settings
from app.deploy.values import Deployment
from app.deploy.values import Unusable

Render = Callable[..., Result]


def test_options_all_have_defaults(render: Render, tmp_path: Path) -> None:
    made = render(tmp_path)

    assert made.exit_code == 0, made.output
    site = (tmp_path / "server/etc/nginx/sites-available/andamio").read_text()
    assert "server_name localhost;" in site
    assert "/srv/andamio/app/static/" in site
    assert "User=andamio\n" in (tmp_path / "server/etc/systemd/system/andamio.service").read_text()


def test_backups_have_units_where_installed(render: Render, make_app: Callable[..., Flask], tmp_path: Path) -> None:
    assert "andamio-backup.timer" in render(tmp_path / "with").output
    app = make_app(None, [name for name in settings.INSTALLED_APPS if name != "app.backups"])
    without = app.test_cli_runner().invoke(args=["deploy", "render", str(tmp_path / "without")])

    assert without.exit_code == 0
    assert "andamio-backup" not in without.output


def test_a_second_time_nothing_is_written(rendered: Path, render: Render, options: list[str]) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in rendered.rglob("*") if path.is_file()}

    made = render(rendered, *options)

    assert {line.split()[0] for line in made.output.splitlines()} == {"unchanged", "kept"}
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before
    assert render(rendered, *options, "--check").exit_code == 0


def test_check_reports_changes(render: Render, tmp_path: Path) -> None:
    assert render(tmp_path / "new", "--check").exit_code == 1
    assert not (tmp_path / "new").exists()
    render(tmp_path)
    socket = tmp_path / "server/etc/systemd/system/andamio.socket"
    socket.write_text("mine")
    (tmp_path / "env").unlink()

    made = render(tmp_path, "--check")

    assert made.exit_code == 1
    states = {Path(line.split()[1]).name: line.split()[0] for line in made.output.splitlines()}
    assert (states["andamio.socket"], states["env"], states["andamio.service"]) == ("different", "missing", "unchanged")
    assert socket.read_text() == "mine"


def test_secrets_written_once_and_private(render: Render, tmp_path: Path) -> None:
    render(tmp_path)
    paths = [tmp_path / "env", tmp_path / "project/compose/app.env", tmp_path / "project/compose/db.env"]
    texts = [path.read_text() for path in paths]

    render(tmp_path, "--domain", "other.example.org")

    assert [path.read_text() for path in paths] == texts
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    keys = [line for text in texts for line in text.splitlines() if line.startswith(("SECRET_KEY=", "POSTGRES_PASS"))]
    assert len(keys) == len(set(keys)) == 3
    assert min(map(len, keys)) > 40


def test_git_takes_no_secret(render: Render, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    render(tmp_path / "deploy")
    asked = ["git", "-C", tmp_path, "status", "--porcelain", "--untracked-files=all"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()

    assert "deploy/project/Dockerfile" in found
    assert [path for path in found if path.endswith("env")] == []


@pytest.mark.parametrize("name", ["Shop\nUser=root", "Shop\r", "Shop\x85x", "Shop\u2028x"])
def test_site_name_stays_in_line(render: Render, tmp_path: Path, monkeypatch: Any, name: str) -> None:
    monkeypatch.setattr(settings, "SITE_NAME", name)
    made = render(tmp_path / "new")

    assert (made.exit_code, (tmp_path / "new").exists()) == (2, False)
    assert "write it in one line" in made.output


def test_site_name_is_no_systemd_specifier(render: Render, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(settings, "SITE_NAME", "100%h")
    render(tmp_path)
    assert "Description=100%%h (" in (tmp_path / "server/etc/systemd/system/andamio.service").read_text()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("name", value) for value in ("", "a b", "../x", "A", "1a", "a-", "a\n", "a" * 32, "nginx", "ü", 'a"')),
        *(("user", value) for value in ("root", "a b", "a\nGroup=root", "-a", "a%n", "a;b")),
        ("group", "root"),
        *(
            ("domains", (value,))
            for value in (
                "",
                "a b",
                "a;b",
                "https://a.org",
                "a.org/",
                "A.org",
                "-a.org",
                "a..b",
                "a\n",
                "*.a.org",
                "$h",
            )
        ),
        ("domains", ("a.org", "a.org")),
        ("domains", ()),
        *(("root", value) for value in ("srv/a", "/srv/a b", "/srv/../etc", "/srv/a/", "/", "/srv/%h", "/a\n", "/a;b")),
        ("webroot", '/a"b'),
        ("certificate", "/etc/a.pem"),
        *(("upstream", value) for value in ("a", "a:0", "a:65536", "http://a:1", "a:1;", "a:1\n", "unix:/a")),
        *(("metrics_from", (value,)) for value in ("all", "10.0.0.1/24", "a;b", "10.0.0.0/24\n")),
        *(("daily", (value,)) for value in ("a; b", "a\nUser=root", "-x", "a %n", "$HOME", "")),
    ],
)
def test_breaking_value_refused(option: str, value: object) -> None:
    with pytest.raises(Unusable, match=f"--{option.rstrip('s').replace('_', '-')}"):
        Deployment(**{option: value})


def test_refusal_is_sentence_writing_nothing(render: Render, tmp_path: Path) -> None:
    made = render(tmp_path / "new", "--domain", "a.org;\nroot /")

    assert made.exit_code == 2
    assert "is no host name: write one like www.example.org" in made.output
    assert "Traceback" not in made.output
    assert not (tmp_path / "new").exists()

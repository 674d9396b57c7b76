"""``flask secret``: a new secret in the file that is in force, and the earlier one dropped when its time has come."""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from dotenv import dotenv_values
from flask import Flask
from sqlalchemy.engine import URL

import config
from app.secret.env_file import EnvFileError
from app.secret.env_file import changing
from app.secret.rotating import rotate
from config import ROOT
from core import modules
from core.configuration import ConfigError
from core.configuration.collected import load
from services import db
from tests.checks import found

Make = Callable[..., Flask]

INSTALLED = ["app.secret"]

OLD = "old-" + "6y0Rk4kBq1nV8wZt3sXeLdUaHgJmPfCo"
OLDER = "older-" + "6y0Rk4kBq1nV8wZt3sXeLdUaHgJmPfCo"

TEXT = f"""\
# The site.
APP_ENV=production

  export SECRET_KEY="{OLD}"   # signs
SITE='it''s mine'
PASSWORD=a#b  # and a comment
TEXT="two
lines"
"""


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """Return a file of variables, which only its owner and a group may read."""
    path = tmp_path / "env"
    path.write_text(TEXT)
    path.chmod(0o640)
    return path


def run(app: Flask, *words: object) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["secret", *map(str, words)])
    return result.exit_code, result.output


# --- rotate -------------------------------------------------------------------------------------


def test_rotate_changes_three_lines(make_app: Make, env_file: Path) -> None:
    owner = (env_file.stat().st_uid, env_file.stat().st_gid)
    code, output = run(make_app(None, INSTALLED, SECRET_KEY=OLD), "rotate", "--file", env_file)

    assert code == 0, output
    values = dotenv_values(env_file)
    assert values["SECRET_KEY_FALLBACKS"] == OLD
    assert len(values["SECRET_KEY"] or "") == 64
    assert datetime.now(UTC) - datetime.fromisoformat(values["SECRET_KEY_ROTATED_AT"] or "") < timedelta(minutes=5)
    text = env_file.read_text()
    new = f"{values['SECRET_KEY']}   # signs\nSECRET_KEY_FALLBACKS={OLD}\nSECRET_KEY_ROTATED_AT=20"
    assert new in text
    assert re.sub(r"\nSECRET_KEY_F.*\nSECRET_KEY_R.*", "", text).replace(str(values["SECRET_KEY"]), f'"{OLD}"') == TEXT
    assert env_file.stat().st_mode & 0o777 == 0o640
    assert (env_file.stat().st_uid, env_file.stat().st_gid) == owner
    assert [one.name for one in env_file.parent.iterdir()] == ["env"]
    assert OLD not in output
    assert str(values["SECRET_KEY"]) not in output


def test_configuration_takes_what_rotate_wrote(make_app: Make, env_file: Path) -> None:
    env_file.write_text(f"SECRET_KEY={OLD}\r\nSECRET_KEY_FALLBACKS={OLDER}\r\nPORT=81")
    code, output = run(
        make_app(None, INSTALLED, SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=[OLDER]), "rotate", "--file", env_file
    )

    assert code == 0, output
    read = config.load({name: value or "" for name, value in dotenv_values(env_file).items()})
    assert (read["SECRET_KEY_FALLBACKS"], read["PORT"]) == ([OLD, OLDER], 81)
    assert env_file.read_bytes().count(b"\r\n") == 3


def test_link_to_file_stays_link(make_app: Make, env_file: Path) -> None:
    link = env_file.with_name("link")
    link.symlink_to(env_file)

    assert run(make_app(None, INSTALLED, SECRET_KEY=OLD), "rotate", "--file", link)[0] == 0
    assert link.is_symlink()
    assert dotenv_values(env_file)["SECRET_KEY_FALLBACKS"] == OLD


@pytest.mark.parametrize(
    ("text", "secret", "message"),
    [
        (f"SECRET_KEY={OLDER}\n", OLD, "are not those in force here"),
        (f"SECRET_KEY={OLD}\nSECRET_KEY_FALLBACKS={OLDER}\n", OLD, "are not those in force here"),
        ("PORT=81\n", OLD, "does not set SECRET_KEY: name the file that does, --file PATH"),
        (f"SECRET_KEY={OLD}\nSECRET_KEY={OLD}\n", OLD, "sets SECRET_KEY more than once"),
        ("SECRET_KEY='a,b'\n", "a,b", "has a comma in it"),
        ('SECRET_KEY="it\'s"\n', "it's", "letters that not every reader"),
        ("SECRET_KEY='a$b'\n", "a$b", "letters that not every reader"),
    ],
)
def test_unwritable_file_unchanged(make_app: Make, env_file: Path, text: str, secret: str, message: str) -> None:
    env_file.write_text(text)
    code, output = run(make_app(None, INSTALLED, SECRET_KEY=secret), "rotate", "--file", env_file)

    assert code == 1
    assert message in output
    assert env_file.read_text() == text


def test_missing_or_binary_file_named(make_app: Make, tmp_path: Path) -> None:
    app = make_app(None, INSTALLED, SECRET_KEY=OLD)
    (tmp_path / "binary").write_bytes(b"\xff")

    assert (
        f"There is no file {tmp_path}/gone: name the one that sets SECRET_KEY"
        in run(app, "rotate", "--file", tmp_path / "gone")[1]
    )
    assert "is no text" in run(app, "rotate", "--file", tmp_path / "binary")[1]


def test_secret_in_own_file_untouched(make_app: Make, env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY_FILE", "/run/secrets/key")

    code, output = run(make_app(None, INSTALLED, SECRET_KEY=OLD), "rotate", "--file", env_file)
    assert code == 1
    assert "SECRET_KEY_FILE names a file" in output


def test_full_disk_leaves_file_unchanged(make_app: Make, env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(EnvFileError, match="No space left"):
        rotate(make_app(None, INSTALLED, SECRET_KEY=OLD), env_file)
    assert env_file.read_text() == TEXT
    assert [one.name for one in env_file.parent.iterdir()] == ["env"]


def test_concurrent_rotation_loses_no_secret(make_app: Make, env_file: Path) -> None:
    app = make_app(None, INSTALLED, SECRET_KEY=OLD)
    code = (
        "import sys\nfrom flask import Flask\nfrom pathlib import Path\nfrom app.secret.rotating import rotate\n"
        "app = Flask('app')\napp.config.update(SECRET_KEY=sys.argv[1], SECRET_KEY_FALLBACKS=[])\n"
        "rotate(app, Path(sys.argv[2]))"
    )
    with changing(env_file) as file:
        other = subprocess.Popen(
            [sys.executable, "-c", code, OLD, env_file], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        # It waits for this one, which is not done yet.
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(3)
        file.text = file.changed({"SECRET_KEY": OLDER}, after="SECRET_KEY")
    assert "are not those in force here" in other.communicate(timeout=60)[1]
    assert dotenv_values(env_file)["SECRET_KEY"] == OLDER
    assert app.config["SECRET_KEY"] == OLD


# --- retire -------------------------------------------------------------------------------------


@pytest.fixture
def make_rotated(make_app: Make, env_file: Path) -> Make:
    """Make an application whose secret was changed so many days ago, and the file of its variables."""

    def make(days: int | None) -> Flask:
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days) if days is not None else None
        env_file.write_text(
            f"SECRET_KEY={OLD}\nSECRET_KEY_FALLBACKS={OLDER}\nSECRET_KEY_ROTATED_AT={at or ''}\nPORT=81\n"
        )
        return make_app(None, INSTALLED, SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=[OLDER], SECRET_KEY_ROTATED_AT=at)

    return make


def test_retire_waits_for_the_sessions(make_rotated: Make, env_file: Path) -> None:
    for days, message in ((3, "last until 2"), (None, "SECRET_KEY_ROTATED_AT is not set")):
        app = make_rotated(days)
        before = env_file.read_text()
        code, output = run(app, "retire", "--file", env_file)
        assert code == 1
        assert message in output
        assert env_file.read_text() == before
        assert run(app, "retire", "--now", "--file", env_file)[0] == 0
        assert not dotenv_values(env_file)["SECRET_KEY_FALLBACKS"]


def test_retire_drops_unneeded_secrets(make_rotated: Make, env_file: Path) -> None:
    code, output = run(make_rotated(40), "retire", "--file", env_file)

    assert code == 0, output
    assert env_file.read_text() == f"SECRET_KEY={OLD}\nSECRET_KEY_FALLBACKS=\nSECRET_KEY_ROTATED_AT=\nPORT=81\n"
    assert "Restart" in output


def test_doctor_dates_earlier_secrets(make_rotated: Make) -> None:
    hints = [found(make_rotated(days), "secret.fallbacks")[0].hint for days in (None, 3, 40)]

    assert hints[0].endswith("once the sessions that they signed have ended.")
    assert re.search(r"`flask secret retire` after 20\d\d-\d\d-\d\d \d\d:\d\d UTC", hints[1])
    assert hints[2] == "Drop them by `flask secret retire`."


@pytest.mark.parametrize(("earlier", "message"), [(OLDER, "still accepted: 1."), (OLD, "among its own fallbacks")])
def test_earlier_secret_is_found(make_app: Make, earlier: str, message: str) -> None:
    assert found(make_app(None, INSTALLED, SECRET_KEY=OLD), "secret.fallbacks") == []
    (finding,) = found(make_app(None, INSTALLED, SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=[earlier]), "secret.fallbacks")
    assert message in finding.message
    assert finding.hint


def test_database_behind_named_first(make_app: Make, new_database: Callable[[str], URL], env_file: Path) -> None:
    env_file.write_text(f"SECRET_KEY={OLD}\nSECRET_KEY_FALLBACKS={OLDER}\n")
    app = make_app(new_database("sqlite"), ["app.accounts", *INSTALLED], SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=[OLDER])
    code, output = run(app, "retire", "--now", "--file", env_file)

    assert code == 1
    assert "The database is behind: run `alembic upgrade head`." in output
    assert dotenv_values(env_file)["SECRET_KEY_FALLBACKS"] == OLDER
    # Root, who may write the file, may have no access to the database.
    assert run(app, "retire", "--now", "--unchecked", "--file", env_file)[0] == 0
    assert not dotenv_values(env_file)["SECRET_KEY_FALLBACKS"]


def test_there_may_be_nothing_to_retire(make_app: Make, env_file: Path) -> None:
    assert run(make_app(None, INSTALLED, SECRET_KEY=OLD), "retire", "--file", env_file) == (
        0,
        "There is no earlier secret.\n",
    )


@pytest.mark.parametrize("text", ["yesterday", "2026-01-31", "2026-01-31T12:00:00", "2026-13-01T00:00:00Z"])
def test_rotation_time_has_zone(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write it like 2026-01-31T12:00:00Z"):
        load(modules.load(INSTALLED), {"SECRET_KEY_ROTATED_AT": text})


# --- a module with an encrypted column ----------------------------------------------------------

SAFE = """
from flask import current_app
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from core.fields.encryption import derive
from services import db


class Box(db.Model):
    __tablename__ = "safe_box"
    number: Mapped[str] = mapped_column(String(10), primary_key=True)
    content: Mapped[str | None] = mapped_column(String(200))


def lock(text, app):
    name, key = next(iter(derive(app, "safe: boxes").items()))
    return f"{name}:{bytes(a ^ b for a, b in zip(text.encode(), bytes.fromhex(key))).hex()}"


def unlock(text, app):
    name, _, hidden = text.partition(":")
    key = derive(app, "safe: boxes").get(name)
    return key and bytes(a ^ b for a, b in zip(bytes.fromhex(hidden), bytes.fromhex(key))).decode()
"""

ENCRYPTED = """
from flask import current_app
from core.fields.encryption import EncryptedColumn, derive
from .models import Box, lock, unlock


def is_earlier():
    return ~Box.content.startswith(next(iter(derive(current_app, "safe: boxes"))))


def reencrypted(text):
    plain = unlock(text, current_app)
    return None if plain is None else lock(plain, current_app)


COLUMNS = (EncryptedColumn(Box.content, is_earlier, reencrypted),)
"""


def test_module_offers_encrypted_columns(
    make_app: Make,
    write_module: Callable[..., str],
    new_database: Callable[[str], URL],
    env_file: Path,
    engine_name: str,
) -> None:
    init = "from flask import Blueprint\nbp = Blueprint('safe', __name__)\n"
    name, url = write_module("safe", init=init, models=SAFE, encrypted=ENCRYPTED), new_database(engine_name)
    models = importlib.import_module("safe.models")
    app = make_app(url, [name, *INSTALLED], SECRET_KEY=OLD)
    with app.app_context():
        models.Box.metadata.tables["safe_box"].create(db.engine)
        db.session.add_all(models.Box(number=f"{n:03}", content=models.lock(f"gold {n}", app)) for n in range(250))
        db.session.add_all([models.Box(number="empty"), models.Box(number="lost", content="00000000:00")])
        db.session.commit()

    env_file.write_text(f"SECRET_KEY={OLD}\n")
    assert run(app, "rotate", "--file", env_file)[0] == 0
    read = config.load({key: value or "" for key, value in dotenv_values(env_file).items()})
    secrets = {key: read[key] for key in ("SECRET_KEY", "SECRET_KEY_FALLBACKS")}
    between = make_app(url, [name, *INSTALLED], **secrets)
    (finding,) = found(between, "secret.encrypted")
    assert finding.message.startswith("safe_box.content has 251 values")
    code, output = run(between, "retire", "--now", "--file", env_file)

    assert code == 0, output
    assert "safe_box.content: 250 of 251 values" in output
    after = make_app(url, [name, *INSTALLED], SECRET_KEY=secrets["SECRET_KEY"])
    with after.app_context():
        kept = {box.number: box.content for box in db.session.scalars(sa.select(models.Box))}
        assert models.unlock(kept["249"], after) == "gold 249"
        assert all(models.unlock(kept[f"{n:03}"], after) == f"gold {n}" for n in range(250))
    assert (kept["empty"], kept["lost"]) == (None, "00000000:00")


# --- the program --------------------------------------------------------------------------------


def test_secret_made_without_application() -> None:
    environ = {**os.environ, "APP_ENV": "production", "DATABASE_URL": "sqlite://"}
    flask = [sys.executable, "-m", "flask", "--app", "run", "secret"]
    made = subprocess.run([*flask, "make"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    rotated = subprocess.run([*flask, "rotate"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)

    assert re.fullmatch(r"[\w-]{64}\n", made.stdout), made.stderr
    assert rotated.returncode == 1
    assert "SECRET_KEY is missing" in rotated.stderr
    assert "Traceback" not in rotated.stderr

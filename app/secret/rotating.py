"""The verbs of ``flask secret``: a new secret beside the earlier ones, and later without them."""

import secrets
from datetime import UTC
from datetime import datetime
from pathlib import Path

from flask import Flask

from core.configuration import words
from core.configuration.collected import variables

from .columns import BATCH
from .columns import count_earlier
from .columns import encrypted_columns
from .columns import reencrypt
from .env_file import EnvFile
from .env_file import EnvFileError
from .env_file import changing

__all__ = ["BATCH", "EnvFileError", "count_earlier", "encrypted_columns", "reencrypt"]


def make() -> str:
    """Return a random secret: 384 bits."""
    return secrets.token_urlsafe(48)


def rotate(app: Flask, path: Path) -> None:
    """Write a new secret into a file of variables, and what was it to the earlier ones.

    :raises EnvFileError: if the application does not have its secret from there
    """
    with changing(path) as file:
        _check_in_force(app, file)
        earlier = [app.config["SECRET_KEY"], *app.config["SECRET_KEY_FALLBACKS"]]
        if words(",".join(earlier)) != earlier:
            raise EnvFileError(
                "SECRET_KEY has a comma in it, or blanks around it, and cannot stand in SECRET_KEY_FALLBACKS: "
                "change it by hand. All users must sign in again, and set up their authenticator app again."
            )
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        values = {"SECRET_KEY": make(), "SECRET_KEY_FALLBACKS": ",".join(earlier), "SECRET_KEY_ROTATED_AT": now}
        file.text = file.changed(values, after="SECRET_KEY")


def retire(app: Flask, path: Path) -> None:
    """Take the earlier secrets out of a file of variables.

    :raises EnvFileError: if the application does not have its secrets from there
    """
    with changing(path) as file:
        _check_in_force(app, file)
        values = dict.fromkeys(("SECRET_KEY_FALLBACKS", "SECRET_KEY_ROTATED_AT"), "")
        file.text = file.changed(values, after="SECRET_KEY")


def last_until(app: Flask) -> datetime | None:
    """Return until when sessions may last that an earlier secret has signed; ``None`` if it is not known."""
    rotated_at: datetime | None = app.config["SECRET_KEY_ROTATED_AT"]
    return rotated_at + app.permanent_session_lifetime if rotated_at else None


def _check_in_force(app: Flask, file: EnvFile) -> None:
    for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS"):
        if variables().get(f"{name}_FILE"):
            raise EnvFileError(f"{name}_FILE names a file with the secret: what has put it there has to change it.")
    if not file.get("SECRET_KEY"):
        raise EnvFileError(f"{file.path} does not set SECRET_KEY: name the file that does, --file PATH.")
    found = file.get("SECRET_KEY"), words(file.get("SECRET_KEY_FALLBACKS"))
    if found != (app.config["SECRET_KEY"], app.config["SECRET_KEY_FALLBACKS"]):
        raise EnvFileError(
            f"The secrets in {file.path} are not those in force here: they are set elsewhere too, or this command was "
            f"not started with them (`set -a; . {file.path}; set +a`). Nothing is changed."
        )

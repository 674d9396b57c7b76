"""``flask about``: a deployment's description."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.engine import URL

import settings
from config import ROOT
from tests.proxies import Proxy

SECRETS = {
    "SECRET_KEY": "keep://walrus-0123456789-abcdefghijkl",
    "SECRET_KEY_FALLBACKS": ["zebra-than-you-think"],
    "REDIS_URL": "redis://me:redis-pass@10.0.0.7/0",
    "MAIL_URL": ["smtp://me:mail-pass@mail.example.org:587"],
}


def about(app: Flask) -> dict[str, Any]:
    ran = app.test_cli_runner().invoke(args=["about", "--json"])
    assert ran.exit_code == 0, ran.output
    found: dict[str, Any] = json.loads(ran.output)
    return found


def test_about_shows_database_and_modules(app: Flask, engine_name: str) -> None:
    found = about(app)
    assert found["database"]["url"].startswith({"mariadb": "mysql"}.get(engine_name, engine_name))
    assert found["database"]["server"][0].isdigit()
    assert found["database"]["schema"] == "The database is at the newest revision."
    assert list(found["modules"]) == settings.INSTALLED_APPS
    accounts = found["modules"]["app.accounts"]
    assert accounts["routes"] > 10
    assert accounts["tables"] > 3
    assert {"cli", "health", "menu"} <= {*accounts["offers"]}
    assert found["configuration"]["RATE_LIMITS"] is True


def test_commit_known_from_git(sqlite_app: Flask) -> None:
    ran = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    seen = about(sqlite_app)["application"]["revision"]
    assert seen is None if ran.returncode else ran.stdout.strip() in seen


def test_secrets_are_left_out(make_app: Callable[..., Flask], platform: Callable[[str], URL]) -> None:
    app = make_app(**SECRETS, SQLALCHEMY_DATABASE_URI=platform("sqlite"))
    for arguments in (["about"], ["about", "--json"]):
        output = app.test_cli_runner().invoke(args=arguments).output
        assert not [secret for secret in ("walrus", "zebra", "redis-pass", "mail-pass") if secret in output]
        assert "redis://me:[filtered]@10.0.0.7/0" in output
    assert about(app)["configuration"]["SECRET_KEY"] == "(set)"


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_unresponsive_database_reported(
    make_app: Callable[..., Flask], platform: Callable[[str], URL], engine_name: str
) -> None:
    url = platform(engine_name)
    proxy = Proxy((url.host or "127.0.0.1", url.port or 0))
    proxy.freeze()
    app = make_app(url.set(host="127.0.0.1", port=proxy.port, password="of-the-database"))
    frozen = about(app)["database"]
    assert frozen["fault"] == "It does not answer within 3 seconds."
    proxy.cut()
    ran = app.test_cli_runner().invoke(args=["about"])
    assert ran.exit_code == 0
    assert "of-the-database" not in ran.output
    assert "refused" in ran.output
    assert "app.accounts" in ran.output

"""The settings that modules offer, beside those of the platform."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import pytest
from flask import Flask

from config import ROOT
from core import modules
from core.configuration import ConfigError
from core.configuration.collected import complete
from core.configuration.collected import known
from core.configuration.collected import load
from core.factory import create_app
from tests.checks import found
from tests.ports import free_port

STRONG = "6y0Rk4kBq1nV8wZt3sXeLdUaHgJmPfCo"
Make = Callable[..., Flask]
Write = Callable[..., str]


def faults(installed: list[modules.Module] | None = None, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(installed or [], environ)
    return caught.value.faults


# --- Redis -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1", "redis://cache:6379/1", "rediss://site:hunter2@cache:6380/0", "redis://[::1]:6379/"]
)
def test_redis_url_is_taken(url):
    assert load([], {"SECRET_KEY": STRONG, "REDIS_URL": url})["REDIS_URL"] == url


@pytest.mark.parametrize(
    "url", ["127.0.0.1:6379", "redis://", "http://cache", "redis://cache:port", "redis://cache/x", "redis://:99999"]
)
def test_invalid_redis_url_named_without_password(url):
    (found,) = faults(REDIS_URL=url.replace("//", "//:hunter2@"))

    assert found == "REDIS_URL cannot be used: write redis://HOST:PORT/NUMBER, with rediss:// for TLS"


# --- what modules offer -------------------------------------------------------------------------

PLAIN = "from flask import Blueprint\nbp = Blueprint({label!r}, __name__)\n"

SETTINGS = """
from core.configuration import Setting, integer, one_of

SETTINGS = (
    Setting("SHOP_CURRENCY", one_of("EUR", "USD"), "EUR", "what prices are in"),
    Setting("SHOP_TOKEN", str, {"development": "none", "testing": "none"}, "of the payment service", is_secret=True),
    Setting("SHOP_TAX_<COUNTRY>", integer(0, 99), None, "percent"),
)


def faults(values):
    if values["APP_ENV"] == "production" and not values["SHOP_TOKEN"]:
        yield "SHOP_TOKEN is missing: set it to that of your account"
"""


@pytest.fixture
def write_shop(write_module: Write) -> Callable[..., list[modules.Module]]:
    """Load the module ``shop``, which offers these settings."""

    def write(text: str = SETTINGS, name: str = "shop") -> list[modules.Module]:
        return modules.load([write_module(name, init=PLAIN.format(label=name), settings=text)])

    return write


def test_module_settings_read_with_platforms(write_shop):
    shop = write_shop()
    config = load(shop, {"SHOP_CURRENCY": "usd", "SHOP_TAX_FR": "20", "PORT": "81"})

    assert (config["SHOP_CURRENCY"], config["SHOP_TOKEN"], config["SHOP_TAX_FR"], config["PORT"]) == (
        *("USD", "none", 20, 81),
    )
    assert [key.name for key in known(shop)][-3:] == ["SHOP_CURRENCY", "SHOP_TOKEN", "SHOP_TAX_<COUNTRY>"]


def test_module_and_platform_faults_together(write_shop):
    found = faults(write_shop(), APP_ENV="production", SECRET_KEY="hunter2", SHOP_CURRENCY="DM", HSTS_SECONDS="x")

    assert [fault.split()[0] for fault in found] == ["HSTS_SECONDS", "SECRET_KEY", "SHOP_CURRENCY", "SHOP_TOKEN"]
    assert "SHOP_CURRENCY is 'DM': write one of EUR, USD" in found
    assert not any("hunter2" in fault for fault in found)


def test_unset_settings_take_defaults(write_shop, make_app: Make):
    (shop,) = write_shop()

    assert make_app(None, [shop.name]).config["SHOP_CURRENCY"] == "EUR"
    assert make_app(None, [shop.name], SHOP_CURRENCY="USD").config["SHOP_CURRENCY"] == "USD"
    assert complete([shop], {"APP_ENV": "production"})["SHOP_TOKEN"] is None
    assert "SHOP_TAX_<COUNTRY>" not in complete([shop], {"APP_ENV": "production"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SETTINGS = (Setting('PRICE', str, '', ''),)", "'shop' has a setting 'PRICE': begin it with SHOP and _"),
        ("SETTINGS = (Setting('shop_price', str, '', ''),)", "'shop' has a setting 'shop_price'"),
        (
            "PREFIXES = ('SECRET',)\nSETTINGS = (Setting('SECRET_KEY', str, '', ''),)",
            "'SECRET_KEY', which the platform has",
        ),
        ("PREFIXES = ('HSTS',)\nSETTINGS = (Setting('HSTS_SECONDS', str, '', ''),)", "which the platform has as well"),
        (
            "PREFIXES = ('SESSION',)\nSETTINGS = (Setting('SESSION_COOKIE_NAME', str, '', ''),)",
            "which Flask has as well",
        ),
        ("SETTINGS = 2 * (Setting('SHOP_PRICE', str, '', ''),)", "'SHOP_PRICE', which module 'shop' has as well"),
        ("SETTINGS = (('SHOP_PRICE', str),)", r"shop.settings has no SETTINGS: write SETTINGS = \(Setting"),
        ("", "shop.settings has no SETTINGS"),
        (
            "SETTINGS = (Setting('SHOP_PRICE'),)",
            r"The settings of module 'shop' cannot be read.*settings.py, line 2: TypeError",
        ),
    ],
)
def test_unusable_settings_named(write_shop, text: str, message: str):
    with pytest.raises(modules.ModuleError, match=message):
        load(write_shop(f"from core.configuration import Setting\n{text}"), {})


def test_duplicate_setting_names_both_modules(write_shop):
    text = (
        "from core.configuration import Setting\n"
        "PREFIXES = ('PRICE',)\n"
        "SETTINGS = (Setting('PRICE_UNIT', str, '', ''),)"
    )

    with pytest.raises(
        modules.ModuleError, match=r"'store' has a setting 'PRICE_UNIT', which module 'shop' has as well"
    ):
        load([*write_shop(text), *write_shop(text, "store")], {})


def test_broken_module_and_environment_together(write_module: Write, monkeypatch: pytest.MonkeyPatch):
    name = write_module("shop", init="1 / 0")
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1/live")

    with pytest.raises(ConfigError) as caught:
        create_app(None, [name])
    environment, database, module = caught.value.faults
    assert environment.startswith("PORT is '0'")
    assert database.startswith("DATABASE_URL names")
    assert module.startswith("Module 'shop' cannot be imported.")
    assert [finding.message for finding in found(Flask("app"), "core.cannot-start", fault=caught.value)][2] == module


# --- the whole application ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [["run.py"], ["-m", "flask", "--app", "run", "doctor"], ["-m", "flask", "--app", "run", "routes"]]
)
def test_module_setting_fault_beside_platforms(command: list[str]):
    environ = {**os.environ, "PORT": "0", "ACCOUNTS_TOTP": "perhaps", "DATABASE_URL": "sqlite://"}
    answer = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120
    )

    text = answer.stdout + answer.stderr
    assert answer.returncode != 0
    assert "PORT is '0'" in text
    assert "ACCOUNTS_TOTP is 'perhaps'" in text
    assert "Traceback" not in text


def test_development_server_resumes_after_repair(tmp_path: Path):
    for name in ("run.py", "config.py", "services.py"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("core", "app/templates", "app/static"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    settings = re.sub(
        r"INSTALLED_APPS = \[.*?\]", 'INSTALLED_APPS = ["shop"]', (ROOT / "settings.py").read_text(), flags=re.S
    )
    (tmp_path / "settings.py").write_text(settings)
    (tmp_path / "shop").mkdir()
    view = "\n@bp.get('/')\ndef index():\n    return current_app.config['SHOP_CURRENCY']\n"
    (tmp_path / "shop" / "__init__.py").write_text(
        "from flask import current_app\n" + PLAIN.format(label="shop") + view
    )
    (tmp_path / "shop" / "settings.py").write_text("SETTINGS = 1\n")
    port = free_port()
    environ = {**os.environ, "APP_ENV": "development", "PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "run.py"], cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        # At the first start it ends; what a reload brings does not end it.
        assert process.wait(60) == 2
        (tmp_path / "shop" / "settings.py").write_text(SETTINGS)
        process = subprocess.Popen(
            [sys.executable, "run.py"], cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL, start_new_session=True
        )
        assert "EUR" in read_until(port, "EUR")
        (tmp_path / "shop" / "settings.py").write_text(SETTINGS.replace("SHOP_TOKEN", "TOKEN"))
        assert "begin it with SHOP and _" in read_until(port, "cannot start")
        (tmp_path / "shop" / "settings.py").write_text(SETTINGS.replace('"EUR", "what', '"USD", "what'))
        assert read_until(port, "USD") == "USD"
    finally:
        os.killpg(process.pid, signal.SIGTERM) if process.poll() is None else None
        process.wait(30)


def read_page(port: int) -> str:
    """Read the start page, or what there is in its place; it may break off."""
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def read_until(port: int, text: str) -> str:
    """Read the start page until it says this; the server may be restarting."""
    ends = time.monotonic() + 120
    answer = ""
    while time.monotonic() < ends and text not in answer:
        try:
            answer = read_page(port)
        except (OSError, HTTPException):
            time.sleep(0.2)
    return answer


@pytest.mark.parametrize("peers", ["10.0.0.1,nginx", "10.0.0.5/8", "10.0.0.0-10.0.0.9", "unix:"])
def test_proxies_are_addresses_or_networks(peers: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load([], {"APP_ENV": "testing", "DATABASE_URL": "sqlite://", "FORWARDED_ALLOW_IPS": peers})
    (fault,) = caught.value.faults
    assert fault.startswith(f"FORWARDED_ALLOW_IPS is {peers!r}: write addresses or networks")

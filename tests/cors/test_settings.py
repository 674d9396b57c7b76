"""The origins that are configured."""

import pytest

from core import modules
from core.configuration import ConfigError
from core.configuration.collected import load

STRONG = "6y0Rk4kBq1nV8wZt3sXeLdUaHgJmPfCo"
INSTALLED = modules.load(["app.cors"])


def test_origins_for_all_or_one_api():
    config = load(
        INSTALLED,
        {
            "SECRET_KEY": STRONG,
            "CORS_ORIGINS": "https://one.example, HTTP://Two.example:8080, https://bücher.example",
            "CORS_ORIGINS_EVENTS": "*",
            "CORS_ORIGINS_API": "none",
            "CORS_ORIGINS_RPC": "",
        },
    )

    assert config["CORS_ORIGINS"] == [
        "https://one.example",
        "http://two.example:8080",
        "https://xn--bcher-kva.example",
    ]
    assert config["CORS_ORIGINS_EVENTS"] == ["*"]
    assert config["CORS_ORIGINS_API"] == []
    assert "CORS_ORIGINS_RPC" not in config


@pytest.mark.parametrize(
    ("environment", "origins"),
    [
        ("development", ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"]),
        ("testing", []),
        ("production", []),
    ],
)
def test_local_origins_in_development_only(environment, origins):
    environ = {"APP_ENV": environment, "SECRET_KEY": STRONG, "DATABASE_URL": "sqlite://"}

    assert load(INSTALLED, environ)["CORS_ORIGINS"] == origins


@pytest.mark.parametrize(
    "origin",
    [
        "https://site.example",
        "http://site.example:8080",
        "https://xn--bcher-kva.example",
        "http://10.0.0.1",
        "http://[2001:db8::1]:81",
        "http://[::1]:*",
        "*",
    ],
)
def test_origin_is_taken(origin):
    assert load(INSTALLED, {"SECRET_KEY": STRONG, "CORS_ORIGINS": origin})["CORS_ORIGINS"] == [origin]


@pytest.mark.parametrize("name", ["CORS_ORIGINS", "CORS_ORIGINS_API"])
@pytest.mark.parametrize(
    ("origin", "hint"),
    [
        ("https://*.example.org", "write SCHEME://HOST"),
        ("https://site.example/", "write SCHEME://HOST"),
        ("https://site.example/path", "write SCHEME://HOST"),
        ("https://site.example?", "write SCHEME://HOST"),
        ("https://user@site.example", "write SCHEME://HOST"),
        ("site.example", "write SCHEME://HOST"),
        ("ftp://site.example", "write SCHEME://HOST"),
        ("https://", "write SCHEME://HOST"),
        ("https://my_site.example", "has an underscore"),
        ("https://site.example:0", "write HOST or HOST:PORT"),
        ("https://site.example:*", "write SCHEME://HOST"),
        ("null", "write SCHEME://HOST"),
        ("https://site.example:443", "write https://site.example"),
        ("http://site.example:080", "write http://site.example"),
        ("https://one.example,*", "write it alone"),
    ],
)
def test_invalid_origin_named_with_hint(name, origin, hint):
    with pytest.raises(ConfigError) as caught:
        load(INSTALLED, {name: origin})
    (found,) = caught.value.faults

    assert found.startswith(f"{name} is {origin!r}: ")
    assert hint in found

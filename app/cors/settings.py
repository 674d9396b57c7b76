"""Settings of the access from pages of other sites."""

import re

from core.configuration import Setting
from core.configuration import host_and_port
from core.configuration import words

#: Origins of a site that is developed beside the API.
LOCAL_ORIGINS = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"]

#: The port that browsers leave out of an origin.
_PORTS = {"http": 80, "https": 443}
_LOOPBACK = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\]):\*")
_ORIGIN = re.compile(r"(https?)://([^/?#@*]+)")

ELSEWHERE = {"CORS_ORIGINS": ("CORS_ALLOWED_ORIGINS", "CORS_ORIGIN_WHITELIST", "ALLOWED_ORIGINS")}


def origins(text: str) -> list[str]:
    """Read the origins whose pages may call: ``*`` for all, ``none`` for none."""
    if text.lower() == "none":
        return []
    found = [word.lower() for word in words(text)]
    if "*" in found and len(found) > 1:
        raise ValueError("* stands for all sites: write it alone")
    return [origin if origin == "*" or _LOOPBACK.fullmatch(origin) else _origin(origin) for origin in found]


def _origin(text: str) -> str:
    parts = _ORIGIN.fullmatch(text)
    if not parts:
        raise ValueError(
            f"{text!r} is no origin: write SCHEME://HOST or SCHEME://HOST:PORT, without a path, a slash at the end "
            "or a pattern (http://localhost:* is any port of this machine); * for all sites, none for no one"
        )
    host, port = host_and_port(parts[2])
    if port == f":{_PORTS[parts[1]]}":
        raise ValueError(f"browsers leave the port of {text!r} out: write {text.rpartition(':')[0]}")
    return f"{parts[1]}://{host}{port}"


SETTINGS = (
    Setting(
        "CORS_ORIGINS",
        origins,
        {"development": LOCAL_ORIGINS, "testing": [], "production": []},
        "origins (`https://www.example.org`) whose pages may call the APIs, comma-separated; `*` for all, `none`; "
        "pages of this machine in development, none in production",
    ),
    Setting(
        "CORS_ORIGINS_<BLUEPRINT>",
        origins,
        None,
        "the same for the API of one blueprint, instead of `CORS_ORIGINS`",
    ),
)

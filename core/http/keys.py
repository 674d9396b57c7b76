"""The keys of what every face shares: whom to believe, who may call from where, how often, how browsers come."""

import ipaddress
import re
from urllib.parse import urlsplit

from config import Key
from config import boolean
from config import host_and_port
from config import integer
from config import words

#: The port that browsers leave out of an origin.
_PORTS = {"http": 80, "https": 443}
_LOOPBACK = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\]):\*")
_ORIGIN = re.compile(r"(https?)://([^/?#@*]+)")


def origins(text: str) -> list[str]:
    """Read the origins whose pages are let in: ``*`` for all, ``none`` for no one."""
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


def peers(text: str) -> list[str]:
    """Read the addresses and networks that proxies speak from; ``*`` for any."""
    found = words(text)
    try:
        for word in found:
            if word != "*":
                # gunicorn reads this variable too, and ends if an address has a network's bits.
                ipaddress.ip_network(word)
    except ValueError:
        raise ValueError("write addresses or networks (10.0.0.0/8), comma-separated, or * for any") from None
    return found


def redis_url(text: str) -> str:
    """Read where Redis is."""
    try:
        url = urlsplit(text)
        is_usable = url.scheme in ("redis", "rediss") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not re.fullmatch(r"/?[0-9]{0,3}", url.path):
        raise ValueError("write redis://HOST:PORT/NUMBER, with rediss:// for TLS")
    return text


def prefix(text: str) -> str:
    """Read the path below which the application is mounted."""
    if not re.fullmatch(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*", text):
        raise ValueError("write a path that begins with a slash and does not end with one: /app")
    return text


#: Where a site that is being developed beside the API is served.
LOCAL_ORIGINS = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"]

KEYS = (
    Key(
        "SCRIPT_NAME",
        prefix,
        "",
        "path below which the site is mounted, `/app`, where it does not have a host of its own; the proxy in front "
        "passes paths on with it",
    ),
    Key(
        "FORWARDED_ALLOW_IPS",
        peers,
        ["127.0.0.1", "::1"],
        "addresses and networks of those proxies, comma-separated; `*` for any, where only the "
        "proxy can reach the server; peers on a unix socket are always trusted",
    ),
    Key(
        "HSTS_SECONDS",
        integer(0, 10**9),
        {"development": 0, "testing": 0, "production": 31_536_000},
        "for how long browsers reach the site by https only, once they have seen it; a year in production, 0 for not",
    ),
    Key("HSTS_SUBDOMAINS", boolean, False, "whether that counts for all names below the site's too"),
    Key(
        "CORS_ORIGINS",
        origins,
        {"development": LOCAL_ORIGINS, "testing": [], "production": []},
        "origins (`https://www.example.org`) whose pages may call the APIs, comma-separated; `*` for all, `none`; "
        "pages of this machine in development, none in production",
    ),
    Key("CORS_ORIGINS_<BLUEPRINT>", origins, None, "the same for the API of one blueprint, instead of `CORS_ORIGINS`"),
    Key(
        "REDIS_URL",
        redis_url,
        None,
        "`redis://…` or `rediss://…`, where the counters of limits are; without it each process counts for itself",
        is_secret=True,
    ),
    Key("RATE_LIMITS", boolean, True, "whether the limits of the APIs count; false for a load test"),
)

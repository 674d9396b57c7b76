"""Readers of names and addresses: hosts, proxies, Redis, and the path of a mounted application."""

import ipaddress
import re
from urllib.parse import urlsplit

from .values import words

#: A label of a name in DNS: letters, digits and hyphens (RFC 1123, section 2.1).
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?")


class _IPv6Address(str):
    """An IPv6 address among trusted hosts: werkzeug 3.1 cuts each of them at its first colon, to drop a port."""

    def partition(self, separator: str) -> tuple[str, str, str]:
        return str(self), "", ""


#: The names of a developer's machine. In development no other host is answered: a deployment without
#: APP_ENV fails at its first request instead of running unsafely.
LOOPBACK = ["localhost", ".localhost", "127.0.0.1", _IPv6Address("[::1]")]


def host_name(text: str) -> str:
    """Read the name or address of a host as browsers send it: in small letters, other scripts as ``xn--…``."""
    if text.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(text[1:].removesuffix(']'))}]"
        except ValueError:
            raise ValueError(f"{text!r} is no IPv6 address: write one like [2001:db8::1]") from None
    if "_" in text:
        raise ValueError(
            f"{text!r} has an underscore, which no host name may have (RFC 1123): give the server a name with a "
            "hyphen, and write that"
        )
    try:
        name = text.encode("idna").decode().lower()
    except UnicodeError:
        name = ""
    if len(name) > 253 or not _HOST_NAME.fullmatch(name):
        raise ValueError(
            f"{text!r} is no host name: write one like www.example.org, without a scheme, a path, a pattern or a dot "
            "at the end"
        )
    return name


def host_and_port(text: str) -> tuple[str, str]:
    """Read the name of a host, and its port with the colon, which is optional."""
    found = _HOST_AND_PORT.fullmatch(text)
    if not found or not 0 < int(found[2] or 1) < 65536:
        raise ValueError(f"{text!r} is no host name: write HOST or HOST:PORT, an IPv6 address as [2001:db8::1]")
    return host_name(found[1]), f":{int(found[2])}" if found[2] else ""


def trusted_hosts(text: str) -> list[str]:
    """Read the names of hosts that are answered; a name that begins with a dot includes its subdomains."""
    found = []
    for word in words(text):
        if word.startswith("*."):
            raise ValueError(f"{word!r} is a pattern: write {word[1:]}, which takes its subdomains too")
        name, port = host_and_port(word.removeprefix("."))
        dot = "." if word.startswith(".") else ""
        found.append(_IPv6Address(name) if name.startswith("[") else f"{dot}{name}{port}")
    return found


def listening_host(text: str) -> str:
    """Read an address to listen on, or a name of this machine, which may be a container."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?", text):
            raise ValueError("write an address or a name of this machine, without a scheme or a port") from None
    return text


def peers(text: str) -> list[str]:
    """Read the addresses and networks of proxies; ``*`` for any."""
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
    """Read the URL of a Redis."""
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

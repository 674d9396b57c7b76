"""Values of a deployment: names, domains, paths. Checked, because they end up in configuration of root's."""

import ipaddress
import re
from dataclasses import dataclass


class Unusable(ValueError):
    """A value cannot be used; the message says which, why, and what to write."""


#: Names that Debian's own files have: a unit or a site of this name would take their place.
TAKEN = {"cron", "dbus", "default", "mariadb", "mysql", "nginx", "postgresql", "redis", "redis-server", "ssh", "sshd"}

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,29}[a-z0-9])?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PATH = re.compile(r"(?:/[A-Za-z0-9_.+@-]+)+")
_COMMAND = re.compile(r"[a-z][A-Za-z0-9._=:@/ -]*")
_UPSTREAM = re.compile(rf"({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\]):([0-9]{{1,5}})")

#: Debian's certificate for trying things out (package ssl-cert).
SNAKEOIL = ("/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/ssl/private/ssl-cert-snakeoil.key")


@dataclass(frozen=True)
class Deployment:
    """Values that the files are rendered for; an empty value stands for the one that follows from the others.

    :param name: of the units, the site, the database and the socket; two on one server have two
    :param domains: which the site answers to
    :param user: user that the application runs as
    :param root: where the project lies, with its ``.venv``
    :param certificate: its path; by default that of Let's Encrypt, or Debian's own for ``localhost``
    :param webroot: where the proof for a certificate is laid
    :param upstream: ``HOST:PORT`` where nginx finds the application, instead of the unit's socket
    :param tls: whether the site is reached by https
    :param http_port: where nginx listens; not 80 where another one is in front
    :param rate: requests a second that one address may make, 0 for any number
    :param metrics_from: addresses and networks that may ask ``/metrics``
    :param backups: how many daily backups are kept
    :param daily: commands of ``flask`` to run each day, ``history prune --days 365``
    """

    name: str = "andamio"
    domains: tuple[str, ...] = ("localhost",)
    user: str = ""
    group: str = ""
    root: str = ""
    certificate: str = ""
    key: str = ""
    webroot: str = "/var/www/html"
    upstream: str = ""
    tls: bool = True
    rate: int = 50
    metrics_from: tuple[str, ...] = ("127.0.0.1", "::1")
    backups: int = 14
    daily: tuple[str, ...] = ()
    http_port: int = 80
    https_port: int = 443

    def __post_init__(self) -> None:
        """Fill what follows, and check all of it.

        :raises Unusable: for the first value that cannot be used
        """
        self._check_name()
        self._set("user", self.user or self.name)
        self._set("group", self.group or self.user)
        self._set("root", self.root or f"/srv/{self.name}")
        self._check_domains()
        self._default_certificate()
        self._check_users()
        for name in ("root", "certificate", "key", "webroot"):
            _check_path(name, getattr(self, name))
        self._check_upstream()
        for command in self.daily:
            if not _COMMAND.fullmatch(command):
                raise Unusable(f"--daily {command!r}: write a command of flask, of letters, digits and . _ = : @ / -")
        self._set("metrics_from", tuple(_network(text) for text in self.metrics_from))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_name(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Unusable(
                f"--name {self.name!r}: write small letters, digits and hyphens, 31 at most, a letter first."
            )
        if self.name in TAKEN:
            raise Unusable(f"--name {self.name!r} is the name of a service or site of Debian's: write another.")

    def _check_domains(self) -> None:
        for domain in self.domains:
            if len(domain) > 253 or not _DOMAIN.fullmatch(domain):
                raise Unusable(
                    f"--domain {domain!r} is no host name: write one like www.example.org, in small letters, without "
                    "a scheme, a port or a path; other scripts in their xn--… form."
                )
        if not self.domains or len(set(self.domains)) < len(self.domains):
            raise Unusable("--domain: write each name once, at least one.")

    def _default_certificate(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise Unusable("--certificate and --key belong together: write both, or neither.")
        if not self.certificate:
            folder = f"/etc/letsencrypt/live/{self.domain}"
            own = (f"{folder}/fullchain.pem", f"{folder}/privkey.pem")
            self._set("certificate", (SNAKEOIL if self.domain == "localhost" else own)[0])
            self._set("key", (SNAKEOIL if self.domain == "localhost" else own)[1])

    def _check_users(self) -> None:
        for option, name in (("--user", self.user), ("--group", self.group)):
            if not _USER.fullmatch(name):
                raise Unusable(f"{option} {name!r}: write small letters, digits, hyphens and underscores, 31 at most.")
            if name == "root":
                raise Unusable(f"{option} root: the application must not run as root; make a user for it.")

    def _check_upstream(self) -> None:
        found = _UPSTREAM.fullmatch(self.upstream)
        if self.upstream and not (found and 0 < int(found[2]) < 65536):
            raise Unusable(f"--upstream {self.upstream!r}: write HOST:PORT, like 127.0.0.1:8000.")

    @property
    def domain(self) -> str:
        """The first name, by which certificates are filed."""
        return self.domains[0]

    @property
    def ident(self) -> str:
        """The name where hyphens are not allowed: variables of nginx, databases."""
        return self.name.replace("-", "_")

    @property
    def socket(self) -> str:
        """Socket on which systemd listens for the application."""
        return f"/run/{self.name}/gunicorn.sock"

    @property
    def server(self) -> str:
        """The application as nginx names it."""
        return self.upstream or f"unix:{self.socket}"

    @property
    def is_in_home(self) -> bool:
        """Return whether the project lies where systemd hides everything by default."""
        return self.root.split("/")[1] in ("home", "root")


def _check_path(name: str, path: str) -> None:
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise Unusable(
            f"--{name} {path!r}: write an absolute path of letters, digits and . _ + @ -, without .. and without a "
            "slash at the end."
        )


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise Unusable(f"--metrics-from {text!r}: write an address or a network, like 10.0.0.0/24.") from error
    return str(network if network.num_addresses > 1 else network.network_address)

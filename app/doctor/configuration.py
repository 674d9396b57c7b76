"""Checks of the configuration: the environment, cookies, hosts, proxies, limits, logs."""

import ipaddress
from collections.abc import Iterator

from core import modules
from core.access import endpoints
from core.configuration import ConfigError

from . import shadows
from . import unknown_variables
from .findings import Deployment
from .findings import Finding
from .findings import Level
from .findings import Needs
from .findings import check

#: A larger body is more than a form or a document of JSON is likely to be.
LARGE_BODY_BYTES = 100 * 1024 * 1024

#: For a fault that names none.
DEFAULT_HINT = "Correct it in .env or in the environment."


@check("core.cannot-start", Level.ERROR, needs=Needs.NOTHING)
def start(deployment: Deployment) -> Iterator[Finding]:
    """The application starts."""
    fault: BaseException | None = deployment.fault
    if isinstance(fault, ConfigError):
        # A module that cannot be used is reported beside faults of the environment.
        others = [one for one in fault.faults if one != str(fault.__cause__)]
        for one in others:
            what, _, hint = one.partition(": ")
            yield Finding(f"{what}.", f"In .env or in the environment: {hint}." if hint else DEFAULT_HINT, _key(one))
        fault = fault.__cause__
    if fault is not None:
        yield Finding(str(fault), "Correct what the message names.")


def _key(fault: str) -> str:
    return fault.partition(" ")[0].rstrip(":,")


@check("core.environment", Level.ERROR, needs=Needs.NOTHING, production=True)
def environment(deployment: Deployment) -> Iterator[Finding]:
    """APP_ENV says production."""
    if deployment.named != "production":
        yield Finding(
            f"APP_ENV is {deployment.named}: errors show code, only loopback names are answered.",
            "Set APP_ENV=production.",
            "APP_ENV",
        )


@check("core.variable-unknown", Level.WARNING)
def variable_unknown(deployment: Deployment) -> Iterator[Finding]:
    """No variable is set that looks like one of this platform's, and is none."""
    for variable in unknown_variables.find_unknown(modules.installed(deployment.app)):
        yield Finding(variable.message, variable.hint, variable.name)


@check("core.debug", Level.ERROR, production=True)
def debug(deployment: Deployment) -> Iterator[Finding]:
    """The debugger is off."""
    if deployment.app.debug or deployment.app.testing:
        yield Finding(
            "The application runs with the debugger, or as a test: visitors can see code and run their own.",
            "Unset FLASK_DEBUG, and start it without --debug.",
            "FLASK_DEBUG",
        )


@check("core.cookie-flags", Level.ERROR, production=True)
def cookie_flags(deployment: Deployment) -> Iterator[Finding]:
    """Cookies travel by https only, are out of reach of scripts, and stay away from requests of other sites."""
    wanted = {"SECURE": (True,), "HTTPONLY": (True,), "SAMESITE": ("Lax", "Strict")}
    for cookie in ("SESSION_COOKIE", "REMEMBER_COOKIE"):
        for flag, values in wanted.items():
            name = f"{cookie}_{flag}"
            # Without https there is nothing to be secure for: core.https reports it.
            concerns = name in deployment.config and (flag != "SECURE" or deployment.config["HTTPS"])
            if concerns and deployment.config[name] not in values:
                yield Finding(
                    f"{name} is {deployment.config[name]!r}.",
                    f"Set it to {values[0]!r}, or leave it to the platform.",
                    name,
                )


@check("core.cookie-host", Level.WARNING, production=True)
def cookie_host(deployment: Deployment) -> Iterator[Finding]:
    """The session's cookie belongs to this host alone: its name begins with __Host-."""
    config = deployment.config
    if not config["HTTPS"]:
        # core.https reports it.
        return
    name = deployment.app.session_interface.get_cookie_name(deployment.app)
    is_wide = config["SESSION_COOKIE_DOMAIN"] or config["SESSION_COOKIE_PATH"] not in (None, "/")
    if is_wide or not name.startswith("__Host-"):
        yield Finding(
            f"The session's cookie is called {name!r}: a neighbour under the same domain could set it.",
            "Leave SESSION_COOKIE_NAME, _DOMAIN and _PATH to the platform.",
            "SESSION_COOKIE_NAME",
        )


@check("core.hosts-any", Level.ERROR, production=True)
def hosts_any(deployment: Deployment) -> Iterator[Finding]:
    """Only the host names of this site are answered."""
    if not deployment.config["TRUSTED_HOSTS"]:
        yield Finding(
            "Every host name is answered: who sends another one decides where links in mails lead.",
            "Set TRUSTED_HOSTS to the site's names.",
            "TRUSTED_HOSTS",
        )


@check("core.hosts-wide", Level.WARNING, production=True)
def hosts_wide(deployment: Deployment) -> Iterator[Finding]:
    """Host names are the site's own, no whole domain of the highest level, and not of this machine only."""
    hosts = deployment.config["TRUSTED_HOSTS"] or []
    for host in hosts:
        if host.startswith(".") and "." not in host.strip(".") and host != ".localhost":
            yield Finding(
                f"TRUSTED_HOSTS has {host!r}, a domain that is open to registrations.",
                "Name the site's own domain.",
                "TRUSTED_HOSTS",
            )
    if hosts and all(_is_loopback(host) for host in hosts):
        yield Finding(
            "TRUSTED_HOSTS has names of this machine only: visitors get 400.",
            "Add the names by which the site is reached.",
            "TRUSTED_HOSTS",
        )


def _is_loopback(host: str) -> bool:
    name = host.strip("[].")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


@check("core.https", Level.ERROR, production=True)
def https(deployment: Deployment) -> Iterator[Finding]:
    """The site is reached by https."""
    if not deployment.config["HTTPS"]:
        yield Finding(
            "HTTPS is false: passwords and cookies travel in the clear.",
            "Serve the site by https, and set HTTPS=true.",
            "HTTPS",
        )


@check("core.proxy", Level.WARNING, production=True)
def proxy(deployment: Deployment) -> Iterator[Finding]:
    """The proxies in front are counted."""
    if deployment.config["HTTPS"] and not deployment.config["PROXY_HOPS"]:
        yield Finding(
            "HTTPS is on and PROXY_HOPS is 0: if a proxy ends TLS, all visitors have its address, so that limits "
            "count them as one, and logs cannot distinguish them.",
            "Set PROXY_HOPS to the number of proxies in front (one nginx: 1); where gunicorn speaks TLS, none.",
            "PROXY_HOPS",
        )


@check("core.cors-any", Level.WARNING, production=True)
def cors_any(deployment: Deployment) -> Iterator[Finding]:
    """Pages of other sites may call the APIs only where they are named, and by https."""
    for name in sorted(key for key in deployment.config if key.startswith("CORS_ORIGINS")):
        for origin in deployment.config[name] or ():
            if origin == "*":
                yield Finding(
                    f"{name} is *: the pages of all sites may call the API.",
                    "Name the sites, or none; * is right for what is public anyway.",
                    name,
                )
            elif origin.startswith("http://"):
                yield Finding(
                    f"{name} lets {origin} in, whose pages can be changed on the network.",
                    "Let in https:// only.",
                    name,
                )


@check("core.limits-off", Level.WARNING, production=True)
def limits_off(deployment: Deployment) -> Iterator[Finding]:
    """The limits of the APIs count."""
    if not deployment.config["RATE_LIMITS"]:
        yield Finding("RATE_LIMITS is false: no client is slowed down.", "Set RATE_LIMITS=true.", "RATE_LIMITS")


@check("core.body-large", Level.WARNING)
def body_large(deployment: Deployment) -> Iterator[Finding]:
    """Bodies are no larger than memory bears."""
    size = deployment.config["MAX_CONTENT_LENGTH"]
    if size is None or size > LARGE_BODY_BYTES:
        yield Finding(
            f"A body may have {size:,} bytes: some at once fill the memory." if size else "A body may be of any size.",
            "Lower MAX_BODY_BYTES, and raise the limit of the one view that needs more.",
            "MAX_BODY_BYTES",
        )


@check("core.log-secrets", Level.WARNING, production=True)
def log_secrets(deployment: Deployment) -> Iterator[Finding]:
    """Logs do not contain what visitors send."""
    if deployment.config["LOG_LEVEL"] == "DEBUG":
        yield Finding("LOG_LEVEL is DEBUG: libraries log what visitors send.", "Set LOG_LEVEL=INFO.", "LOG_LEVEL")
    if deployment.config.get("SQLALCHEMY_ECHO"):
        yield Finding("SQLALCHEMY_ECHO is on: all values are logged.", "Turn it off.", "SQLALCHEMY_ECHO")


@check("core.log-text", Level.INFO, production=True)
def log_text(deployment: Deployment) -> Iterator[Finding]:
    """Logs can be read by programs."""
    if deployment.config["LOG_FORMAT"] != "json":
        yield Finding(
            "LOG_FORMAT is text: what collects logs has to guess where a value ends.",
            "Set LOG_FORMAT=json.",
            "LOG_FORMAT",
        )


@check("core.shadowed", Level.WARNING)
def shadowed(deployment: Deployment) -> Iterator[Finding]:
    """Every address and every template of a module can be reached."""
    for shadow in shadows.find_shadows(deployment.app):
        yield Finding(shadow.message, shadow.hint, shadow.where)


@check("core.policy-missing", Level.WARNING)
def policy_missing(deployment: Deployment) -> Iterator[Finding]:
    """Every endpoint says who may ask it."""
    found = endpoints.undeclared(deployment.app)
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        yield Finding(
            f"Open to everyone, without a declared policy: {', '.join(found[:5])}{more}.",
            "Declare their policy; PUBLIC, for public endpoints (docs/security.md).",
            found[0],
        )

"""Checks of what the application answers: it is asked for a page that there is not, and its headers are read."""

import re
from collections.abc import Iterator

from werkzeug.test import TestResponse

from .findings import Deployment
from .findings import Finding
from .findings import Level
from .findings import check

#: Seconds that browsers shall insist on https: a year (ASVS 3.4.1).
HSTS_SECONDS = 31_536_000

#: No view has it, so that nothing is read from the database.
NOWHERE = "/.doctor"

#: The platform sets these.
CURE = "Leave it to core.http.headers: something takes it away or replaces it."

#: Directives that let a page run or load anything.
_LOOSE = re.compile(r"'unsafe-(?:inline|eval|hashes)'|(?:^|\s)(?:\*|https?:|data:)(?=\s|$)")


def ask(deployment: Deployment) -> TestResponse:
    """Ask the application for a page that there is not."""
    hosts = deployment.config["TRUSTED_HOSTS"] or ["localhost"]
    scheme = "https" if deployment.config["HTTPS"] else "http"
    return deployment.app.test_client().get(NOWHERE, base_url=f"{scheme}://{hosts[0].lstrip('.')}/")


@check("core.csp", Level.ERROR)
def csp(deployment: Deployment) -> Iterator[Finding]:
    """Pages have a strict Content-Security-Policy."""
    policy = ask(deployment).headers.get("Content-Security-Policy", "")
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";") if part.strip())
    for name in ("script-src", "object-src", "base-uri", "frame-ancestors", "form-action"):
        fallback = "default-src" if name.endswith("-src") else None
        if name not in directives and (fallback is None or fallback not in directives):
            yield Finding(
                f"The Content-Security-Policy says nothing of {name}.",
                CURE,
                name,
            )
    for name, sources in directives.items():
        if name in ("default-src", "script-src", "style-src") and _LOOSE.search(sources):
            yield Finding(
                f"The Content-Security-Policy is loose: {name} {sources}.",
                "Move scripts and styles into files, and take the word away.",
                name,
            )


@check("core.hsts", Level.ERROR, production=True)
def hsts(deployment: Deployment) -> Iterator[Finding]:
    """Browsers use https only, for a year at least."""
    if not deployment.config["HTTPS"]:
        # core.https reports it.
        return
    header = ask(deployment).headers.get("Strict-Transport-Security", "")
    found = re.search(r"max-age=\"?(\d+)", header)
    if found is None or int(found[1]) < HSTS_SECONDS:
        yield Finding(
            f"Strict-Transport-Security is {header or 'missing'}: the first request of a visit may go by http.",
            f"Set HSTS_SECONDS={HSTS_SECONDS}, once all of the site works by https.",
            "HSTS_SECONDS",
        )


@check("core.hsts-subdomains", Level.INFO, production=True)
def hsts_subdomains(deployment: Deployment) -> Iterator[Finding]:
    """Subdomains use https only too (ASVS 3.4.1)."""
    if deployment.config["HSTS_SECONDS"] and not deployment.config["HSTS_SUBDOMAINS"]:
        yield Finding(
            "Names below the site's may still be asked by http, and set cookies for all of the domain.",
            "Set HSTS_SUBDOMAINS=true, once all of them work by https.",
            "HSTS_SUBDOMAINS",
        )


@check("core.headers", Level.ERROR)
def headers(deployment: Deployment) -> Iterator[Finding]:
    """Responses are not sniffed, send no referrer to other sites, and do not name the software."""
    answer = ask(deployment).headers
    if answer.get("X-Content-Type-Options") != "nosniff":
        yield Finding(
            "X-Content-Type-Options is not nosniff.",
            CURE,
            "X-Content-Type-Options",
        )
    policy = answer.get("Referrer-Policy", "")
    if policy not in ("no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"):
        yield Finding(
            f"Referrer-Policy is {policy or 'missing'}: other sites learn which pages people come from.",
            CURE,
            "Referrer-Policy",
        )
    for name in ("Server", "X-Powered-By"):
        if name in answer:
            yield Finding(f"{name} says {answer[name]!r}.", "Take the header away.", name)

"""Checks of the secrets: none is accepted, or needed, longer than it must be."""

from collections.abc import Iterator
from datetime import UTC
from datetime import datetime

from app.doctor import Deployment
from app.doctor import Finding
from app.doctor import Level
from app.doctor import Needs
from app.doctor import check

from . import columns
from . import rotating


@check("secret.fallbacks", Level.INFO)
def secret_fallbacks(deployment: Deployment) -> Iterator[Finding]:
    """No earlier secret is accepted longer than needed."""
    fallbacks = deployment.config["SECRET_KEY_FALLBACKS"]
    if deployment.config["SECRET_KEY"] in fallbacks:
        yield Finding(
            "SECRET_KEY is among its own fallbacks: nothing was rotated.",
            "Set SECRET_KEY to a new secret, and leave the old one in SECRET_KEY_FALLBACKS.",
            "SECRET_KEY",
        )
    elif fallbacks:
        ends = rotating.last_until(deployment.app)
        message, hint = f"Earlier secrets are still accepted: {len(fallbacks)}.", "Drop them by `flask secret retire`"
        if ends is None:
            hint += " once the sessions that they signed have ended."
        elif ends > datetime.now(UTC):
            hint += f" after {ends:%Y-%m-%d %H:%M} UTC, when the sessions that they signed have ended."
        else:
            message, hint = f"{message} The sessions that they signed have ended.", f"{hint}."
        yield Finding(message, hint, "SECRET_KEY_FALLBACKS")


@check("secret.encrypted", Level.WARNING, needs=Needs.DATABASE)
def secret_encrypted(deployment: Deployment) -> Iterator[Finding]:
    """Encrypted columns need no earlier secret to be read."""
    for column, count in columns.count_earlier(deployment.app).items():
        yield Finding(
            f"{column} has {count:,} values that are encrypted with an earlier secret.",
            "Run `flask secret reencrypt`.",
            column,
        )

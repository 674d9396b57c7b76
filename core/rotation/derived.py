"""Keys for one use each, made of ``SECRET_KEY`` and of the earlier ones."""

import hashlib
import hmac

from flask import Flask


def derive(app: Flask, use: str) -> dict[str, str]:
    """Return a key of 256 bits for each secret, today's first, by a name that stays when secrets are rotated.

    :param use: what it is for, ``shop: bank tokens``: another use has other keys
    """
    made = {}
    for secret in (app.config["SECRET_KEY"], *(app.config.get("SECRET_KEY_FALLBACKS") or ())):
        key = hmac.digest(secret.encode() if isinstance(secret, str) else secret, use.encode(), "sha256").hex()
        made[hashlib.sha256(key.encode()).hexdigest()[:8]] = key
    return made

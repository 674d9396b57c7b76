"""Make cheap what costs most in tests and proves least: to compile templates, to hash passwords. No pytest here.

Each test makes its own applications. Without this a third of its time is Jinja, which compiles the same templates
again, and of a test with an account another sixth is Argon2.
"""

from types import CodeType
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from passlib.totp import AppWallet

#: Instead of the parameters of Argon2 in app/accounts: a hash takes 0.1 ms, not 30.
ARGON2: dict[str, Any] = {"argon2__memory_cost": 8, "argon2__time_cost": 1}

#: Of the key that encrypts the secrets of authenticator apps: 2^4 rounds of PBKDF2, not 2^14. A stored secret names it.
AppWallet.encrypt_cost = 4


class Templates(BytecodeCache):
    """Compiled templates of all applications of this process; a key is of the file's path and its text."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket if its template was compiled before."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._codes[bucket.key, bucket.checksum] = bucket.code


_templates = Templates()


def lower(app: Flask) -> None:
    """Lower the costs of an application."""
    app.jinja_env.bytecode_cache = _templates
    security = app.extensions.get("security")
    if security is not None:
        security.pwd_context.update(**ARGON2)

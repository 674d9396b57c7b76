"""Make cheap what costs most in tests and proves least: to compile templates and routes, to hash passwords.

Each test makes its own applications. Without this a third of its time is Jinja, which compiles the same templates
again, half of what an application takes to start is Werkzeug, which compiles the same routes, and of a test with an
account another sixth is Argon2. No pytest here.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from passlib.totp import AppWallet
from werkzeug.routing import Rule

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


def _remember_builders() -> None:
    """Compile what builds the URLs of a route once in a process: it is the same for all rules of one text."""
    compile_builder = Rule._compile_builder
    known: dict[tuple[Any, ...], Callable[..., tuple[str, str]]] = {}

    def remembered(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        converters = tuple((name, type(converter)) for name, converter in self._converters.items())
        key = (self.rule, append_unknown, tuple(self._trace), repr(self.defaults), converters)
        if key not in known:
            known[key] = compile_builder(self, append_unknown)
        return known[key]

    Rule._compile_builder = remembered  # type: ignore[method-assign]


_remember_builders()


def lower(app: Flask) -> None:
    """Lower the costs of an application."""
    app.jinja_env.bytecode_cache = _templates
    security = app.extensions.get("security")
    if security is not None:
        security.pwd_context.update(**ARGON2)

"""Columns that are encrypted with what is derived from ``SECRET_KEY``.

A module derives what encrypts its columns with :func:`derive`, each value noting down the name of its key. It offers
the columns in ``encrypted.py``, so that they can be encrypted again when the secret is changed:

.. code-block:: python

    COLUMNS = (EncryptedColumn(Account.bank_token, tokens.of_an_earlier_key, tokens.reencrypted),)
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import InstrumentedAttribute


def derive(app: Flask, use: str) -> dict[str, str]:
    """Return a key of 256 bits for each secret, today's first, by a name that stays when secrets are rotated.

    :param use: what it is for, ``shop: bank tokens``: another use has other keys
    """
    made = {}
    for secret in (app.config["SECRET_KEY"], *(app.config.get("SECRET_KEY_FALLBACKS") or ())):
        key = hmac.digest(secret.encode() if isinstance(secret, str) else secret, use.encode(), "sha256").hex()
        made[hashlib.sha256(key.encode()).hexdigest()[:8]] = key
    return made


@dataclass(frozen=True)
class EncryptedColumn:
    """A column whose values are encrypted with what is derived from ``SECRET_KEY``.

    :param column: of a model with one primary key
    :param is_earlier: returns the condition by which the database finds what is not encrypted with today's secret
    :param reencrypt: encrypts a value with today's secret; ``None`` where its own is not known
    """

    column: InstrumentedAttribute[Any]
    is_earlier: Callable[[], sa.ColumnElement[bool]]
    reencrypt: Callable[[Any], Any]

    @property
    def table(self) -> sa.Table:
        """The table that it is in."""
        table: sa.Table = self.column.property.columns[0].table
        return table

    @property
    def name(self) -> str:
        """``accounts_user.tf_totp_secret``."""
        return f"{self.table.name}.{self.column.expression.name}"

    @property
    def key(self) -> sa.Column[Any]:
        """The primary key."""
        (key,) = self.table.primary_key.columns
        return key

"""Rotation of ``SECRET_KEY``: encrypted columns are encrypted again, so that the earlier secret can be dropped.

A module with encrypted columns derives what encrypts them with :func:`derive`, each value noting down
the name of its key, and offers the columns in ``encrypted.py``:

.. code-block:: python

    COLUMNS = (EncryptedColumn(Account.bank_token, tokens.of_an_earlier_key, tokens.reencrypted),)

Signatures need none of this: Flask, and what this platform signs with, take earlier secrets as long as
they stand in ``SECRET_KEY_FALLBACKS``.
"""

from .columns import EncryptedColumn
from .columns import count_earlier
from .derived import derive

__all__ = ["EncryptedColumn", "count_earlier", "derive"]

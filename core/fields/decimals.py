"""Decimals that an engine would give back with other digits, and does not say so: they are refused.

SQLite has no decimals: a number is a float there, of which 15 digits are sure to come back. MariaDB takes a
``Numeric`` that does not say its digits for whole numbers.
"""

from decimal import ROUND_HALF_UP
from decimal import Context
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext

#: Digits that a float always keeps.
KEPT_DIGITS = 15

_EXACTLY = Context(prec=400, rounding=ROUND_HALF_UP)


def lost_digits(value: Any, type_: Any, engine_name: str) -> str | None:
    """Return what an engine does not keep of a number, in words; ``None`` if it gives the number back."""
    if not isinstance(value, Decimal) or not isinstance(type_, sa.Numeric) or not type_.asdecimal:
        return None
    if engine_name == "sqlite" and not _is_kept(value, type_.scale):
        return gettext(
            "SQLite keeps %(digits)s digits of a number: give fewer, or use PostgreSQL or MariaDB.", digits=KEPT_DIGITS
        )
    if engine_name in ("mysql", "mariadb") and type_.precision is None and value != value.to_integral_value():
        return gettext("MariaDB keeps no decimal places here: declare the column's digits, Numeric(12, 2).")
    return None


def _is_kept(value: Decimal, scale: int | None) -> bool:
    if scale is None:
        # SQLAlchemy reads ten places where a column does not say them.
        return Decimal(f"{float(value):.10f}") == value
    # As servers round; where few digits are left, that a tie goes another way is no loss.
    rounded = value.quantize(Decimal(1).scaleb(-scale), context=_EXACTLY)
    digits = len(rounded.normalize(_EXACTLY).as_tuple().digits)
    return digits <= KEPT_DIGITS or Decimal(f"{float(value):.{scale}f}") == rounded

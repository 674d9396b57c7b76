"""Dialect types: arrays, ranges, sets, addresses and bits of PostgreSQL and MariaDB.

A module whose models have such columns stands below this one. Without it they are refused at start.
"""

from flask import Blueprint

from core.fields.columns import add_fields

from .columns import choose
from .fields import Array
from .fields import Choices
from .fields import Hstore
from .fields import MultiRange
from .fields import Patterned
from .fields import Range

bp = Blueprint("dialects", __name__)
add_fields(choose)

__all__ = ["Array", "Choices", "Hstore", "MultiRange", "Patterned", "Range", "bp"]

"""The declarations that this module enforces."""

from .announcing import announce

ENFORCED = {"deprecation": announce}

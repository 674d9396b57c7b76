"""The declarations that this module enforces."""

from .counting import count

ENFORCED = {"rate_limit": count}

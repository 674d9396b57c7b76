"""The verbs over a model, and how its rows are listed. No HTTP."""

from .verbs import VERBS
from .verbs import Crud
from .verbs import Page
from .verbs import check_allow

__all__ = [
    "VERBS",
    "Crud",
    "Page",
    "check_allow",
]

"""The verbs over a model, how its rows are listed, and the transaction that commits them. No HTTP."""

from .transactions import transaction
from .verbs import VERBS
from .verbs import Crud
from .verbs import Page
from .verbs import check_allow

__all__ = [
    "VERBS",
    "Crud",
    "Page",
    "check_allow",
    "transaction",
]

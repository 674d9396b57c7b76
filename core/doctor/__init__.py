"""Checks of a deployment, with an id, a level and a hint, run by ``flask doctor``.

A module adds its own in ``checks.py``:

.. code-block:: python

    @check("shop.key-missing", Level.ERROR, production=True)
    def key(deployment: Deployment) -> Iterator[Finding]:
        \"\"\"The key of the payment service is set.\"\"\"
        if not deployment.config.get("SHOP_KEY"):
            yield Finding("SHOP_KEY is not set.", hint="Set it to the key of your account.")

A check only looks: it changes nothing, and takes no more than a moment.
"""

from .findings import Check
from .findings import Deployment
from .findings import Finding
from .findings import Level
from .findings import Needs
from .findings import check

__all__ = ["Check", "Deployment", "Finding", "Level", "Needs", "check"]

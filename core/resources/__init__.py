"""One declaration for each model: the verbs, the pages, the REST resource, the methods and the permissions.

.. code-block:: python

    class Invoices(Resource):
        model = Invoice

    Invoices.register(bp)
"""

from .declaration import Resource
from .registry import registered

__all__ = ["Resource", "registered"]

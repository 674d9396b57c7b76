"""Signals of the platform; connect with ``@row_created.connect`` in a module's ``signals.py``.

The row signals are sent by the verbs inside the transaction, after the row was written and before
it is committed: a receiver that raises undoes the change. Their sender is the model's class.
"""

from blinker import Namespace

_namespace = Namespace()

#: All modules are loaded. Sender: the application.
app_ready = _namespace.signal("app-ready")

#: A resource is being served. Sender: its class. ``api``, ``url``: where it was registered; ``state``: the setup of
#: their blueprint in this application, which takes further rules.
resource_served = _namespace.signal("resource-served")

#: Someone has chosen ``language`` and ``time_zone``, each empty for what the browser says. Sender: their identity.
preferences_chosen = _namespace.signal("preferences-chosen")

#: ``item``: the new row.
row_created = _namespace.signal("row-created")

#: ``item``: the row with its new values.
row_updated = _namespace.signal("row-updated")

#: ``item``: the row that is gone.
row_deleted = _namespace.signal("row-deleted")

#: Statements that the session does not see have written a row; sent by their author, in the same transaction.
#: ``key``: of the row. ``before``, ``after``: attribute to value of what has changed; ``None`` where there was no row.
#: A name that is no attribute's, with a text for people, says what has changed in rows that belong to it.
row_written = _namespace.signal("row-written")

#: ``revisions``: ids that ``alembic upgrade`` or ``downgrade`` has just run. Sender: ``None``.
migrated = _namespace.signal("migrated")

#: ``prepare`` has brought the database to head, and loaded the demo data. Sender: the application.
prepared = _namespace.signal("prepared")

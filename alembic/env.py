"""What the alembic command runs; see :mod:`core.migrations`."""

from core import migrations

migrations.run()

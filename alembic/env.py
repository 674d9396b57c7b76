"""Run migrations for the alembic command; how is in ``core/migrations.py``."""

from core import migrations

migrations.run()

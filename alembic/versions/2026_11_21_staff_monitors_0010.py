"""what staff may see of the site's own state

Revision: 0010
Revises: 0009
Created: 2026-11-21 22:08:31.118402+00:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = '0010'
down_revision: str | tuple[str, ...] | None = '0009'
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None

#: Granted once: what an operator takes away later stays away.
STAFF = ('health.details.read', 'monitoring.page.view')

role = sa.table('accounts_role', sa.column('id', sa.Integer), sa.column('name', sa.String))
grant = sa.table('accounts_role_permission', sa.column('role_id', sa.Integer), sa.column('permission', sa.String))


def upgrade() -> None:
    for permission in STAFF:
        chosen = sa.select(role.c.id, sa.literal(permission, literal_execute=True)).where(role.c.name == sa.literal('staff', literal_execute=True))
        op.execute(grant.insert().from_select(['role_id', 'permission'], chosen))


def downgrade() -> None:
    op.execute(grant.delete().where(grant.c.permission.in_(STAFF)))

"""staff may read the notes of products

Revision: 0013
Revises: 0012
Created: 2026-11-30 20:24:10.304112+00:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = '0013'
down_revision: str | tuple[str, ...] | None = '0012'
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None

#: Granted once: what an operator takes away later stays away.
STAFF = ('example.note.read',)

role = sa.table('accounts_role', sa.column('id', sa.Integer), sa.column('name', sa.String))
grant = sa.table('accounts_role_permission', sa.column('role_id', sa.Integer), sa.column('permission', sa.String))


def upgrade() -> None:
    for permission in STAFF:
        chosen = sa.select(role.c.id, sa.literal(permission, literal_execute=True)).where(role.c.name == sa.literal('staff', literal_execute=True))
        op.execute(grant.insert().from_select(['role_id', 'permission'], chosen))


def downgrade() -> None:
    op.execute(grant.delete().where(grant.c.permission.in_(STAFF)))

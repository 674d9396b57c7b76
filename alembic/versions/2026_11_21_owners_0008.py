"""owners of the demos' rows, and what members and staff may do with them

Revision: 0008
Revises: 0007
Created: 2026-11-21 15:10:12.402118+00:00
"""

import sqlalchemy as sa
from alembic import op

revision: str = '0008'
down_revision: str | tuple[str, ...] | None = '0007'
branch_labels: str | tuple[str, ...] | None = None
depends_on: str | tuple[str, ...] | None = None

OWNED = ('api_city', 'example_category', 'example_product', 'example_tag')

#: Granted once: what an operator takes away later stays away.
MEMBERS = ('api.city.add', 'example.product.add', 'example.tag.add')
STAFF = (
    *MEMBERS,
    'api.city.edit',
    'example.category.add',
    'example.category.edit',
    'example.product.edit',
    'example.stock.move',
    'example.tag.edit',
)

role = sa.table('accounts_role', sa.column('id', sa.Integer), sa.column('name', sa.String))
grant = sa.table('accounts_role_permission', sa.column('role_id', sa.Integer), sa.column('permission', sa.String))


def upgrade() -> None:
    for table in OWNED:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column('owner_key', sa.String(length=64).with_variant(sa.String(length=64, collation='utf8mb4_nopad_bin'), 'mariadb').with_variant(sa.String(length=64, collation='utf8mb4_nopad_bin'), 'mysql').with_variant(sa.String(length=64, collation='C'), 'postgresql'), nullable=True))
            batch_op.create_index(batch_op.f(f'ix_{table}_owner_key'), ['owner_key'], unique=False)
    for name, permissions in (('member', MEMBERS), ('staff', STAFF)):
        for permission in permissions:
            chosen = sa.select(role.c.id, sa.literal(permission, literal_execute=True)).where(role.c.name == sa.literal(name, literal_execute=True))
            op.execute(grant.insert().from_select(['role_id', 'permission'], chosen))


def downgrade() -> None:
    op.execute(grant.delete().where(grant.c.permission.in_(STAFF)))
    for table in reversed(OWNED):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_index(batch_op.f(f'ix_{table}_owner_key'))
            batch_op.drop_column('owner_key')

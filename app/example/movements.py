"""Stock movements of a product, to be shown."""

from collections.abc import Sequence

import sqlalchemy as sa

from services import db

from .models import Product
from .models import StockMovement


def latest(product: Product, limit: int = 10) -> Sequence[StockMovement]:
    """Return the last movements of a product, the newest first."""
    chosen = sa.select(StockMovement).where(StockMovement.product_id == product.id)
    return db.session.scalars(chosen.order_by(StockMovement.id.desc()).limit(limit)).all()

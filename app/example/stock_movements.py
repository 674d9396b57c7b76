"""Stock movements, in and out: counted so that two at once never take the same thing."""

import sqlalchemy as sa
from flask_babel import gettext

from core.access import unchecked
from core.exceptions import Invalid
from services import db

from .models import Product
from .models import Reason
from .models import StockMovement
from .resources import products

#: So many of one product a shop can have; the columns hold as much.
MOST = 2**31 - 1


def find(sku: str) -> Product:
    """Return the product with this number.

    :raises NotFound: if there is none
    """
    return _one(sa.select(Product), sku)


def move(sku: str, quantity: int, reason: Reason) -> StockMovement:
    """Bring so many of a product into stock, or below zero, take them out.

    :raises NotFound: if there is no such product
    :raises Invalid: if there are not so many, or it is no movement
    """
    if quantity == 0:
        raise Invalid({"quantity": [gettext("Nothing moves: give a number above or below 0.")]})
    # The second of two waits here, and then sees what the first has left.
    product = _one(sa.select(Product).with_for_update().execution_options(populate_existing=True), sku)
    stock = product.stock + quantity
    if stock < 0:
        raise Invalid({"quantity": [gettext("Only %(stock)s in stock.", stock=product.stock)]})
    if stock > MOST:
        raise Invalid({"quantity": [gettext("At most %(most)s can be in stock.", most=MOST)]})
    # A user who moves stock need not be one who may edit products.
    with unchecked():
        products.update(product, {"stock": stock})
    movement = StockMovement(product=product, quantity=quantity, reason=reason)
    db.session.add(movement)
    db.session.flush()
    return movement


def _one(select: sa.Select[Product], sku: str) -> Product:
    found = db.session.scalars(select.where(Product.sku == sku)).one_or_none()
    # MariaDB finds sku-1 for SKU-1 as well.
    if found is None or found.sku != sku:
        raise products.missing(sku)
    return found

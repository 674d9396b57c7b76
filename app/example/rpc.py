"""The stock of the catalogue, for the till and the warehouse."""

from datetime import datetime
from typing import Annotated
from typing import TypedDict

from marshmallow.validate import Length
from marshmallow.validate import Range

from core.access import PUBLIC
from core.access import access
from core.access import permission

from . import stock_movements as movements
from .models import Reason
from .models import StockMovement
from .movements import latest

Sku = Annotated[str, Length(min=1, max=20)]


class Movement(TypedDict):
    """A stock movement: in, or below zero, out."""

    id: int
    quantity: int
    reason: Reason
    moved_at: datetime


class Moved(Movement):
    """A movement, and what is in stock after it."""

    stock: int


@access(PUBLIC)
def stock(sku: Sku) -> int:
    """Return how many of a product are in stock.

    :param sku: the number on the shelf
    :raises NotFound: if there is no such product
    :example: {"sku": "HA-1000"}
    """
    return movements.find(sku).stock


@access(permission("example.stock.move"))
def move_stock(
    sku: Sku, quantity: Annotated[int, Range(min=-1_000_000, max=1_000_000)], reason: Reason = Reason.CORRECTION
) -> Moved:
    """Bring so many of a product into stock, or take them out.

    Of two calls at once, the second sees what the first has left: the stock never falls below zero.

    :param sku: the number on the shelf
    :param quantity: how many come; below zero, how many go
    :param reason: why
    :return: the movement, and what is in stock after it
    :raises NotFound: if there is no such product
    :raises Invalid: if there are not so many
    :example: {"sku": "HA-1000", "quantity": 12, "reason": "DELIVERY"}
    """
    movement = movements.move(sku, quantity, reason)
    return {**_shown(movement), "stock": movement.product.stock}


@access(PUBLIC)
def stock_movements(sku: Sku, limit: Annotated[int, Range(min=1, max=100)] = 20) -> list[Movement]:
    """List the movements of a product, the newest first.

    :param sku: the number on the shelf
    :param limit: how many at most
    :raises NotFound: if there is no such product
    :example: {"sku": "HA-1000", "limit": 5}
    """
    return [_shown(one) for one in latest(movements.find(sku), limit)]


def _shown(one: StockMovement) -> Movement:
    return {"id": one.id, "quantity": one.quantity, "reason": one.reason, "moved_at": one.moved_at}

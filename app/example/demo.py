"""A catalogue to try things with: 200 products of a shop for people who work outdoors and at home."""

import random
from datetime import date
from datetime import timedelta
from decimal import Decimal

import sqlalchemy as sa

from core.crud import transaction
from services import db

from .models import Category
from .models import Product
from .models import Status
from .models import Tag

#: Category: what it sells, and from and to what price in euros.
SHELVES = {
    "Hand tools": (("Hammer", "Hand saw", "Pliers", "Screwdriver set", "Wood chisel", "Spirit level"), 6, 60),
    "Power tools": (("Cordless drill", "Jigsaw", "Orbital sander", "Angle grinder", "Heat gun"), 45, 320),
    "Garden": (("Pruning shears", "Watering can", "Garden hose", "Rake", "Wheelbarrow", "Raised bed"), 8, 180),
    "Lighting": (("Work light", "Head torch", "LED strip", "Desk lamp", "Lantern"), 9, 120),
    "Storage": (("Tool box", "Shelf unit", "Wall rail", "Stacking crate", "Parts organiser"), 7, 150),
    "Paint": (("Wall paint", "Wood varnish", "Brush set", "Paint roller", "Masking tape"), 3, 70),
    "Safety": (("Work gloves", "Safety glasses", "Ear defenders", "Knee pads", "First-aid kit"), 4, 65),
    "Kitchen": (("Chef's knife", "Cast-iron pan", "Cutting board", "Kettle", "Storage jar"), 8, 140),
}
RANGES = ("Alder", "Basalt", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Heron", "Iris", "Juniper")
TAGS = (
    "Bestseller",
    "Bulky",
    "Gift idea",
    "Made in Europe",
    "New",
    "Organic",
    "Recycled",
    "Repairable",
    "Sale",
    "Spare parts",
)
NOTES = (
    "The supplier delivers on Tuesdays only.",
    "Packaging changes in spring: use up the old boxes first.",
    "Customers ask for a longer cable; passed on to the maker.",
    "Photographs are ready, texts are not.",
)
COUNT = 200


def load() -> int:
    """Add the demo catalogue if there are no products yet.

    :return: rows added
    """
    if db.session.scalar(sa.select(sa.exists(sa.select(Product)))):
        return 0
    # The same catalogue every time: screenshots and tutorials stay true.
    chance = random.Random(7)  # noqa: S311 - not for secrets
    tags = [Tag(name=name) for name in TAGS]
    categories = [Category(name=name, description=f"Everything we sell as {name.lower()}.") for name in SHELVES]
    products = [_product(number, chance, categories, tags) for number in range(COUNT)]
    with transaction():
        db.session.add_all([*tags, *categories, *products])
    return len(tags) + len(categories) + len(products)


def _product(number: int, chance: random.Random, categories: list[Category], tags: list[Tag]) -> Product:
    # Every shelf gets every range before a name would appear twice.
    category = categories[number % len(categories)]
    things, low, high = SHELVES[category.name]
    turn = number // len(categories)
    status = chance.choices(list(Status), weights=(2, 7, 1))[0]
    return Product(
        name=f"{RANGES[(turn // len(things)) % len(RANGES)]} {things[turn % len(things)].lower()}",
        sku=f"{category.name[:2].upper()}-{1000 + number}",
        category=category,
        tags=sorted(chance.sample(tags, chance.choices((0, 1, 2, 3), weights=(3, 4, 2, 1))[0]), key=str),
        status=status,
        price=Decimal(chance.randint(low, high)) - Decimal(chance.choice(("0.01", "0.05", "0.50", "0.00"))),
        stock=0 if status is Status.DISCONTINUED else chance.choice((0, 3, 8, 12, 25, 40, 120)),
        available_from=date(2026, 1, 5) + timedelta(days=chance.randrange(300)) if status is not Status.DRAFT else None,
        featured=chance.random() < 0.1,
        notes=chance.choice(NOTES) if chance.random() < 0.2 else None,
    )

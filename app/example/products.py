"""What can be done with the catalogue, without HTTP."""

from core.crud import Crud

from .models import Category
from .models import Product
from .models import Tag


class Categories(Crud):
    """The categories, each with its products."""

    model = Category
    search = ("name", "description")
    sorts = ("name", "created_at")
    order = ("name",)


class Tags(Crud):
    """The tags."""

    model = Tag
    search = ("name",)
    sorts = ("name",)
    order = ("name",)


class Products(Crud):
    """The products."""

    model = Product
    search = ("name", "sku", "notes", "category.name", "tags.name")
    filters = {
        "category_id": ("eq",),
        "tags.id": ("eq",),
        "status": ("eq", "in"),
        "price": ("gte", "lte"),
        "featured": ("eq",),
    }
    sorts = ("name", "sku", "category.name", "status", "price", "stock", "available_from", "created_at")
    order = ("name",)


categories = Categories()
tags = Tags()
products = Products()

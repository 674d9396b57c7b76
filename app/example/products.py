"""The verbs of the catalogue, without HTTP.

Everyone reads. Users who may add something also change and delete what is theirs; what others have added, and the
shelves that it stands on, is for those who may edit it.
"""

from core.access import PUBLIC
from core.access import permission
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
    access = {
        "list": PUBLIC,
        "get": PUBLIC,
        "create": permission("example.category.add"),
        "update": permission("example.category.edit", owner="owner_key"),
        "delete": permission("example.category.edit", owner="owner_key"),
    }


class Tags(Crud):
    """The tags."""

    model = Tag
    search = ("name",)
    sorts = ("name",)
    order = ("name",)
    access = {
        "list": PUBLIC,
        "get": PUBLIC,
        "create": permission("example.tag.add"),
        "update": permission("example.tag.edit", owner="owner_key"),
        "delete": permission("example.tag.edit", owner="owner_key"),
    }


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
    access = {
        "list": PUBLIC,
        "get": PUBLIC,
        "create": permission("example.product.add"),
        "update": permission("example.product.edit", owner="owner_key"),
        "delete": permission("example.product.edit", owner="owner_key"),
    }


categories = Categories()
tags = Tags()
products = Products()

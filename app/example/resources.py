"""The catalogue in each face: pages, REST and methods.

Everyone reads. Users who may add something also change and delete what is theirs; what others have added, and the
categories that it stands in, is for those who may edit it.
"""

from typing import Any

from core.access import PUBLIC
from core.access import Policy
from core.access import permission
from core.pages import Pages
from core.pages.views import Answer
from core.resources import Resource

from . import bp
from .models import Category
from .models import Product
from .models import Tag
from .movements import latest


def catalogue_access(noun: str) -> dict[str, Policy]:
    """Return the policies of a part of the catalogue."""
    edit = permission(f"example.{noun}.edit", owner="owner_key")
    return {"list": PUBLIC, "get": PUBLIC, "update": edit, "delete": edit}


class ProductPages(Pages):
    """Pages of the products, each with the last movements of its stock."""

    def render(self, template: str, status: int = 200, **context: Any) -> Answer:
        """Show the last movements with a product."""
        if template == "detail":
            context["movements"] = latest(context["item"])
        return super().render(template, status, **context)


class Products(Resource):
    """The products."""

    model = Product
    access = catalogue_access("product")
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
    columns = ("name", "sku", "category", "tags", "status", "price", "stock")
    fields = ("name", "sku", "category", "tags", "status", "price", "stock", "available_from", "featured", "notes")
    pages = ProductPages


class Categories(Resource):
    """The categories, each with its products."""

    model = Category
    access = catalogue_access("category")
    search = ("name", "description")
    sorts = ("name", "created_at")
    order = ("name",)
    columns = ("name", "description", "created_at")


class Tags(Resource):
    """The tags."""

    model = Tag
    access = catalogue_access("tag")
    order = ("name",)


products = Products.register(bp)
categories = Categories.register(bp)
tags = Tags.register(bp)

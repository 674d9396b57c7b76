"""The pages of the catalogue."""

from flask import redirect
from flask import url_for
from werkzeug.wrappers import Response

from core.pages import Pages

from . import bp
from . import forms
from .products import categories
from .products import products
from .products import tags


class ProductPages(Pages):
    """A page for everything that is sold."""

    verbs = products
    form = forms.ProductForm
    columns = ("name", "sku", "category", "tags", "status", "price", "stock")


class CategoryPages(Pages):
    """A page for each category, with its products."""

    verbs = categories
    form = forms.CategoryForm
    columns = ("name", "description", "created_at")
    plural = "Categories"


class TagPages(Pages):
    """A page for each tag."""

    verbs = tags
    form = forms.TagForm
    columns = ("name",)


ProductPages.register(bp, "/products")
CategoryPages.register(bp, "/categories")
TagPages.register(bp, "/tags")


@bp.get("/")
def index() -> Response:
    """Lead to the products."""
    return redirect(url_for(".product_list"))

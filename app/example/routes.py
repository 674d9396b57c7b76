"""The pages of the catalogue."""

from typing import Any

from flask import redirect
from flask import url_for
from werkzeug.wrappers import Response

from core.access import PUBLIC
from core.access import access
from core.pages import Pages
from core.pages.views import Answer

from . import bp
from . import forms
from . import stock_movements
from .products import categories
from .products import products
from .products import tags


class ProductPages(Pages):
    """A page for everything that is sold."""

    verbs = products
    form = forms.ProductForm
    columns = ("name", "sku", "category", "tags", "status", "price", "stock")

    def render(self, template: str, status: int = 200, **context: Any) -> Answer:
        """Show the last movements of its stock with a product."""
        if template == "detail":
            context["movements"] = stock_movements.latest(context["item"])
        return super().render(template, status, **context)


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
@access(PUBLIC)
def index() -> Response:
    """Lead to the products."""
    return redirect(url_for(".product_list"))

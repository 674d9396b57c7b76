"""The forms of the catalogue, from the models' own declarations."""

from core.forms import make_form

from .models import Category
from .models import Product
from .models import Tag

CategoryForm = make_form(Category)
TagForm = make_form(Tag)


class ProductForm(
    make_form(
        Product,
        only=("name", "sku", "category", "tags", "status", "price", "stock", "available_from", "featured", "notes"),
    )
):
    """A product, its fields in the order of the page."""

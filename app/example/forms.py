"""The forms of the catalogue, from the models' own declarations."""

from core.forms import model_form

from .models import Category
from .models import Product
from .models import Tag

CategoryForm = model_form(Category)
TagForm = model_form(Tag)
ProductForm = model_form(
    Product,
    only=("name", "sku", "category", "tags", "status", "price", "stock", "available_from", "featured", "notes"),
)

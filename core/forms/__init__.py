"""Forms made from models' declarations."""

from .converter import Converter
from .model_forms import ModelForm
from .model_forms import model_form

__all__ = [
    "Converter",
    "ModelForm",
    "model_form",
]

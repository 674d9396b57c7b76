"""The JSON face of the verbs."""

from .resources import Api
from .resources import ModelResource
from .rows import make_reader

__all__ = [
    "Api",
    "ModelResource",
    "make_reader",
]

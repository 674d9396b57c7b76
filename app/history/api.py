"""The changes as JSON, for what watches over them elsewhere; read only."""

from flask import Blueprint

from core.rest import Api
from core.rest import ModelResource

from . import schemas
from .changes import changes

v1 = Blueprint("v1", __name__, url_prefix="/api/v1")


class ChangeResource(ModelResource):
    """Changes of rows, with their user and time, the newest first."""

    verbs = changes
    schema = schemas.ChangeSchema
    allow = ("list", "get")


ChangeResource.register(Api(v1), "/changes")

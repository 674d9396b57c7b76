"""Give each resource of the application its bulk."""

from typing import Any

from flask.blueprints import BlueprintSetupState

from core.access import any_of
from core.rest import Api
from core.rest import ModelResource
from core.signals import resource_served

from . import bp
from .collections import SUFFIX
from .collections import bulk_resource


@resource_served.connect
def add_bulk(resource: type[ModelResource], api: Api, url: str, state: BlueprintSetupState) -> None:
    """Serve many operations at once at ``url:bulk``, in an application that has this module."""
    bulk = bulk_resource(resource) if state.app.blueprints.get(bp.name) is bp else None
    if bulk is None:
        return
    endpoint = f"{url.rpartition('/')[2]}_bulk"
    # Each operation is held to the policy of its own verb; this one is asked before the body is read.
    anything = any_of(resource.verbs.access.get(method) for method in bulk.schemas)
    policy: Any = {"POST": anything} if resource.verbs.access else None
    state.add_url_rule(f"{api.prefix}{url}{SUFFIX}", endpoint, api.make_view(bulk, endpoint, policy))

"""The operations of a :class:`core.rest.ModelResource`: a collection, and its items."""

from typing import Any

from werkzeug.routing import Rule

from core.api.bodies import JSON
from core.api.bodies import MERGE_PATCH
from core.rest import ModelResource

from . import answers
from . import parameters
from .schemas import INPUT
from .schemas import PART
from .schemas import PATCH
from .schemas import Components
from .schemas import JsonSchema
from .schemas import base_name
from .schemas import operation_id

Operation = dict[str, Any]

LINKS: JsonSchema = {
    "type": "object",
    "description": "The neighbouring pages, where there are any.",
    "properties": {
        "next": {"type": "string", "format": "uri-reference"},
        "prev": {"type": "string", "format": "uri-reference"},
    },
}

LIST_TEXT = (
    "Page by page: `links.next` of an answer, also in its `Link` header, leads on, at the same cost however deep. "
    "Parameters narrow the list down; they add up."
)
GET_TEXT = "Its `ETag` is what a later change is held to."
REPLACE_TEXT = "What the body leaves out gets its default."
#: Of two content types, generators of clients make code that does not run.
UPDATE_TEXT = (
    "Only the fields that the body names (JSON Merge Patch, RFC 7396). It is taken as `application/json`, too."
)

BODY = ("too-large", "unsupported-media-type", "invalid")


class ModelOperations:
    """Describes one URL of a resource."""

    def __init__(self, resource: type[ModelResource], rule: Rule, components: Components) -> None:
        self.resource = resource
        self.rule = rule
        self.components = components
        self.verbs = resource.verbs
        served = resource()
        self.schema = served.visible.schema()
        self.projections = served.projections
        self.noun = self.verbs.noun
        self.plural = rule.endpoint.rpartition(".")[2].removesuffix("_item").replace("_", " ")
        self.base = rule.endpoint.removesuffix("_item")
        self.versioned = self.verbs.version_key is not None

    def of(self, method: str) -> Operation:
        """Describe one method."""
        describe = {"GET": self.of_get, "PUT": self.of_replace, "PATCH": self.of_update, "DELETE": self.of_delete}
        if "key" not in self.rule.arguments:
            describe = {"GET": self.of_list, "POST": self.of_create}
        return describe[method]()

    # --- the collection ---

    def of_list(self) -> Operation:
        """Describe the list."""
        known = parameters.of_list(self.verbs, self.components)
        known += parameters.of_projections(self.projections.parameters)
        success = answers.success(f"A page of {self.plural}.", self.page(), header_names=["Link"])
        return {
            **self._head("list", f"List {self.plural}", LIST_TEXT),
            "parameters": known,
            "responses": {"200": success},
            "problems": ["bad-query", "not-found"],
        }

    def of_create(self) -> Operation:
        """Describe the making of an item."""
        success = answers.success(
            f"The {self.noun} as it is now.", self.components.of(self.schema), header_names=["Location", "ETag"]
        )
        if self._key_shown():
            success |= self._links(f"$response.body#/{self._key_shown()}")
        return {
            **self._head("create", f"Create {article(self.noun)} {self.noun}", "`Location` says where it is."),
            "requestBody": self._body(INPUT, JSON),
            "responses": {"201": success},
            "problems": [*BODY, "bad-query"],
        }

    # --- an item ---

    def of_get(self) -> Operation:
        """Describe the reading of an item."""
        success = answers.success(f"The {self.noun}.", self.item(), header_names=["ETag"])
        success |= self._links("$request.path.key")
        unchanged = {"description": "You have it already.", "headers": answers.headers(["ETag", "X-Request-ID"])}
        known = [*self._key(), *parameters.of_projections(self.projections.parameters)]
        return {
            **self._head("get", f"Get {article(self.noun)} {self.noun}", GET_TEXT),
            "parameters": [*known, parameters.common("If-None-Match")],
            "responses": {"200": success, "304": unchanged},
            "problems": ["bad-query", "not-found"],
        }

    def of_replace(self) -> Operation:
        """Describe the replacing of an item."""
        head = self._head("replace", f"Replace {article(self.noun)} {self.noun}", REPLACE_TEXT)
        return self._change(head, self._body(INPUT, JSON))

    def of_update(self) -> Operation:
        """Describe the changing of an item."""
        head = self._head("update", f"Change {article(self.noun)} {self.noun}", UPDATE_TEXT)
        return self._change(head, self._body(PATCH, MERGE_PATCH))

    def of_delete(self) -> Operation:
        """Describe the deleting of an item."""
        return {
            **self._head("delete", f"Delete {article(self.noun)} {self.noun}", "It cannot be undone."),
            "parameters": [*self._key(), *self._condition()],
            "responses": {"204": answers.success("It is gone.", None)},
            "problems": ["bad-query", "not-found", "in-use", *self._conflicts()],
        }

    # --- parts ---

    def item(self) -> JsonSchema:
        """Return the schema of an item as it may be asked for: whole, or only some fields."""
        return {"anyOf": [self.components.of(self.schema), self.components.of(self.schema, PART)]}

    def page(self) -> JsonSchema:
        """Return the schema of a page of the list."""
        links = self.components.add("PageLinks", LINKS)
        total = {
            "type": "integer",
            "minimum": 0,
            "description": "Of the whole list; only where `count=true` asks for it.",
        }
        page = {
            "type": "object",
            "description": f"A page of {self.plural}.",
            "properties": {"items": {"type": "array", "items": self.item()}, "links": links, "total": total},
            "required": ["items", "links"],
        }
        return self.components.add(f"{base_name(self.schema)}Page", page, type(self.schema))

    def _head(self, verb: str, summary: str, text: str) -> Operation:
        return {"operationId": operation_id(self.base, verb), "summary": summary, "description": text}

    def _body(self, shape: str, media: str) -> dict[str, Any]:
        return {"required": True, "content": {media: {"schema": self.components.of(self.schema, shape)}}}

    def _key(self) -> list[parameters.Parameter]:
        field = self.verbs.key.field()
        key = {**self.components.property(field, INPUT), "description": f"The key of the {self.noun}."}
        return parameters.of_path(self.rule, {"key": key})

    def _condition(self) -> list[parameters.Parameter]:
        return [parameters.common("If-Match", required=self.versioned)]

    def _conflicts(self) -> list[str]:
        return ["precondition-failed", "precondition-required"] if self.versioned else ["precondition-failed"]

    def _change(self, head: Operation, body: dict[str, Any]) -> Operation:
        success = answers.success(
            f"The {self.noun} as it is now.", self.components.of(self.schema), header_names=["ETag"]
        )
        success |= self._links("$request.path.key")
        return {
            **head,
            "parameters": [*self._key(), *self._condition()],
            "requestBody": body,
            "responses": {"200": success},
            "problems": [*BODY, "bad-query", "not-found", *self._conflicts()],
        }

    def _key_shown(self) -> str | None:
        """Return the name under which an item shows its key, if it is one field and shown."""
        if self.verbs.key.is_composite:
            return None
        for name, field in self.schema.dump_fields.items():
            if (field.attribute or name) in self.verbs.key.names:
                return field.data_key or name
        return None

    def _links(self, key: str) -> dict[str, Any]:
        """Return where to go on from an answer: what can be done with the item that it shows."""
        found = {}
        for verb, allowed in (("get", "get"), ("replace", "update"), ("update", "update"), ("delete", "delete")):
            if allowed in self.resource.allow:
                known = {"path.key": key}
                if verb != "get" and self.versioned:
                    known["header.If-Match"] = "$response.header.ETag"
                found[verb] = {"operationId": operation_id(self.base, verb), "parameters": known}
        return {"links": found} if found else {}


def article(noun: str) -> str:
    """Return a or an."""
    return "an" if noun[:1].lower() in "aeiou" else "a"

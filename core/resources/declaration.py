"""One declaration that makes the verbs of a model and their faces.

:class:`Resource` is a :class:`core.crud.Crud` whose undeclared attributes are derived from the model. ``register`` adds
pages at ``/<module>/invoices`` and REST at ``/<module>/api/v1/invoices``; the methods of JSON-RPC, the document of the
API, the menu and the permissions follow. To replace a face, set its attribute to a class of your own:
``pages = InvoicePages``, ``rest = InvoiceResource``; ``None`` omits it.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import Self
from typing import cast
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from flask import Blueprint
from flask.blueprints import BlueprintSetupState
from marshmallow import Schema

from services import db

from ..crud import writing
from ..crud.verbs import Crud
from ..crud.verbs import check_allow
from ..exceptions import Stale
from ..fields.words import lazily
from ..fields.words import plural
from ..fields.words import words
from ..forms.model_forms import ModelForm
from ..forms.model_forms import model_form
from ..pages import Pages
from ..platform import platform_of
from ..rest import Api
from ..rest import ModelResource
from . import derivation
from . import registry
from .children import Children
from .children import ChildWriter
from .children import Entries

#: The path of a module's API, below its own.
API_PREFIX = "/api/v1"

#: Stands for an attribute that is not declared.
_NOTHING: Any = object()

#: Blueprint to its API; both are declared once, whichever applications have them.
_apis: WeakKeyDictionary[Blueprint, Api] = WeakKeyDictionary()


class Resource(Crud):
    """The verbs and the faces of one model.

    Each attribute below may be declared; what is not declared is derived from the model when the class is registered.
    """

    #: Verbs offered in every face: any of list, get, create, update, delete; of a view, only to read.
    allow: ClassVar[Sequence[str]]
    #: Name in addresses: by default that of the class, ``InvoiceLines`` is ``invoice-lines``.
    path: ClassVar[str]
    #: Name of the list for people: by default that of the class, ``Invoice lines``.
    plural: ClassVar[str]
    #: Columns of the list: attributes, relationships among them.
    columns: ClassVar[Sequence[str]]
    #: Fields of a row's page.
    details: ClassVar[Sequence[str]]
    #: Fields of forms and bodies, in this order; by default all writable ones.
    fields: ClassVar[Sequence[str]]
    #: Relationships whose rows ``?include=`` shows; by default those to one row of the same module,
    #: and the children.
    includes: ClassVar[Sequence[str]]
    #: One-to-many relationships whose rows are written with the row, by REST and JSON-RPC.
    children: ClassVar[Sequence[str]] = ()
    #: The form, the schema, and the two faces.
    form: ClassVar[type[ModelForm]]
    schema: ClassVar[type[Schema]]
    pages: ClassVar[type[Pages] | None]
    rest: ClassVar[type[ModelResource] | None]
    #: The verbs, as registered.
    verbs: ClassVar[Any]
    #: The attributes that the class itself declares, kept at its registration.
    declared: ClassVar[Mapping[str, Any]]

    def __init__(self) -> None:
        super().__init__()
        relations = sa.inspect(self.model).relationships
        fields = self.schema().load_fields
        self.writers = {name: ChildWriter(relations[name], cast("Children", fields[name])) for name in self.children}

    def create(self, data: Mapping[str, Any]) -> Any:
        """Add a row with its children; otherwise as :meth:`Crud.create`."""
        own, nested = self._apart(data)
        item = super().create(own)
        for name, entries in nested.items():
            self.writers[name].write(item, entries)
        return item

    def update(self, item: Any, data: Mapping[str, Any], version: int | None = None) -> Any:
        """Change a row and its children; a change of children alone counts as a version of the row, too."""
        self.require("update", item)
        own, nested = self._apart(data)
        before = self.version(item)
        if nested:
            self._lock(item)
        item = super().update(item, own, version)
        has_changed = [self.writers[name].write(item, entries) for name, entries in nested.items()]
        if any(has_changed) and before is not None and self.version_key and self.version(item) == before:
            setattr(item, self.version_key, before + 1)
            writing.flush(self.model, {})
        return item

    def _lock(self, item: Any) -> None:
        """Let one transaction at a time write the children of a row: two would wait for each other's rows.

        :raises Stale: if the row is gone, or has another version by now
        """
        is_own = self.key.equals(self.key.of(item), db.session.get_bind(sa.inspect(self.model)).dialect)
        column = getattr(self.model, self.version_key) if self.version_key else sa.true()
        found = db.session.execute(sa.select(column).where(is_own).with_for_update(of=self.model)).first()
        if found is None or (self.version_key and found[0] != self.version(item)):
            raise Stale

    def _apart(self, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Entries]]:
        """Return the values of a row, and those of its children."""
        own = {name: value for name, value in data.items() if name not in self.writers}
        return own, {name: value for name, value in data.items() if name in self.writers}

    @classmethod
    def register(cls, blueprint: Blueprint, api: Api | None = None) -> Self:
        """Add the faces to a module's blueprint, and return the verbs.

        :param api: where the REST resource is added; by default the blueprint's own, below ``/api/v1``
        :raises TypeError: if a declaration does not fit its model
        """
        if "declared" in vars(cls):
            raise TypeError(f"{cls.__name__} is registered already: register a subclass of it")
        module = blueprint.import_name.rpartition(".")[2]
        cls._derive(module)
        check_allow(cls)
        verbs = cls.verbs = cls()
        given = {
            name: getattr(cls, name)
            for name in ("verbs", "form", "columns", "details", "plural", "schema", "allow")
            if hasattr(cls, name)
        }
        included = given["includes"] = derivation.included(cls.model, cls.includes)
        cls.pages = _face(cls, "pages", Pages, given)
        cls.rest = _face(cls, "rest", ModelResource, given)
        if cls.pages is not None:
            cls.pages.register(blueprint, f"/{cls.path}")
        if cls.rest is not None:
            cls.rest.register(api or _api_of(blueprint), f"/{cls.path}")

        def announce(state: BlueprintSetupState) -> None:
            if not _declares(cls, "includes", Resource):
                for name in derivation.unguarded(cls.model, [one for one in included if one not in cls.children]):
                    del included[name]
            registry.add(state.app, module, verbs)
            if cls.pages is not None and "list" in cls.pages.allow:
                name = ".".join(filter(None, (state.name_prefix, state.name, f"{cls.pages().name}_list")))
                platform_of(state.app).lists.append((module, lazily(cls.pages.plural, cls.model), name))

        blueprint.record(announce)
        return verbs

    @classmethod
    def _derive(cls, module: str) -> None:
        """Set the attributes that the class does not declare."""
        cls.declared = dict(vars(cls))
        model, noun = cls.model, words(cls.__name__)
        _set_missing(
            cls,
            allow=derivation.allowed_verbs(model),
            path=noun.replace(" ", "-"),
            plural=(noun if noun != words(model.__name__) else plural(noun)).capitalize(),
            search=derivation.search(model),
            filters=derivation.filters(model),
            sorts=derivation.sorts(model),
            columns=derivation.list_columns(model),
            details=derivation.details(model),
            fields=derivation.fields(model),
            includes=derivation.includes(model, cls.children),
        )
        access = _declared(cls, "access", Resource)
        cls.access = derivation.access(model, module, {} if access is _NOTHING else access)
        # Columns that no schema or form can have are an error only where these are derived.
        if not _declares(cls, "schema", Resource):
            cls.schema = derivation.schema(model, cls.fields, cls.children)
        if {"create", "update"} & set(cls.allow) and not _declares(cls, "form", Resource):
            cls.form = model_form(model, only=cls.fields)


def _declares(cls: type, name: str, base: type) -> bool:
    """Return whether a class, or one between it and a base, declares an attribute."""
    return _declared(cls, name, base) is not _NOTHING


def _declared(cls: type, name: str, base: type) -> Any:
    """Return the attribute that a class, or one between it and a base, declares; derived ones do not count."""
    for each in cls.__mro__[: cls.__mro__.index(base)]:
        own = vars(each).get("declared", vars(each))
        if name in own:
            return own[name]
    return _NOTHING


def _set_missing(cls: type, **derived: Any) -> None:
    for name, value in derived.items():
        if not _declares(cls, name, Resource):
            setattr(cls, name, value)


def _face(cls: type[Resource], name: str, base: type, given: Mapping[str, Any]) -> Any:
    """Return a subclass of the declared face, or of the plain one, with the attributes that it does not declare."""
    declared = _declared(cls, name, Resource)
    face = base if declared is _NOTHING else declared
    if face is None:
        return None
    known = {key for each in base.__mro__ for key in (*vars(each), *getattr(each, "__annotations__", ()))}
    missing = {key: value for key, value in given.items() if key in known and not _declares(face, key, base)}
    return type(f"{cls.__name__}{base.__name__}", (face,), {"__module__": cls.__module__, **missing})


def _api_of(blueprint: Blueprint) -> Api:
    """Return the API of a blueprint, and make it for the first resource."""
    if blueprint not in _apis:
        nested = Blueprint("api", blueprint.import_name, url_prefix=API_PREFIX)
        _apis[blueprint] = Api(nested)
        blueprint.register_blueprint(nested)
    return _apis[blueprint]

"""Private names of libraries that are used or overridden here: all of them, and that each is still there.

A release may take one away without a word. A name with an underscore that is not ours and is not in the list below
fails; so does one of the list that is no longer used, or that the library no longer has.
"""

import ast
import inspect
import re
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("core", "app")
FILES = ("services.py", "config.py", "settings.py", "run.py", "wsgi.py", "gunicorn.conf.py", "alembic/env.py")
OURS = ("core", "app", "services", "config", "settings", "run", "wsgi")

#: Strings that only look like a private name: ends of others, and the names of tables and constraints.
WORDS = {"_FILE", "_URL", "_bulk", "_data_load", "_data_row", "_data_unique", "_detail", "_item", "_list", "_rowid_"}
WORDS |= {"_test"}

NONE = "none known"


@dataclass(frozen=True)
class Private:
    """A private name of a library.

    :param owner: the module or the class that has it, ``flask.ctx:RequestContext``
    :param why: what it is used for
    :param upstream: the issue or the release with which it may go; ``documented`` where it is public but for its name
    """

    name: str
    owner: str
    why: str
    upstream: str = NONE


FLASK_3_2 = "Flask 3.2 merges the contexts (pallets/flask#5812)"
DOCUMENTED = "documented"
BATCH = "alembic#1844, alembic#1846"
CONVERTER = "marshmallow-sqlalchemy#75"

NAMES = [
    # Flask and Werkzeug
    Private("_session", "flask.ctx:RequestContext", "to take back what a failed request did to it", FLASK_3_2),
    Private("_after_request_functions", "flask.ctx:RequestContext", "not to run what failed again", FLASK_3_2),
    Private("_blueprints", "flask.sansio.blueprints:Blueprint", "to know which blueprints are nested"),
    Private("_app", "flask.json.provider:JSONProvider", "to know whether it is debugged", DOCUMENTED),
    Private("_prepare_response_obj", "flask.json.provider:JSONProvider", "to read the arguments of jsonify"),
    Private("_external", "flask.app:Flask.url_for", "as an argument", DOCUMENTED),
    Private("_scheme", "flask.app:Flask.url_for", "as an argument", DOCUMENTED),
    Private("_get_current_object", "werkzeug.local:LocalProxy", "where the object itself is asked for", DOCUMENTED),
    Private("_matcher", "werkzeug.routing.map:Map", "to find addresses that another rule hides"),
    Private("_root", "werkzeug.routing.matcher:StateMachineMatcher", "to find addresses that another rule hides"),
    Private("_converters", "werkzeug.routing.rules:Rule", "to know what a variable of a path may be"),
    Private("_get_file_stream", "werkzeug.wrappers:Request", "to close the files of a broken form", DOCUMENTED),
    Private("_load_form_data", "werkzeug.wrappers:Request", "to refuse forms that are not UTF-8", DOCUMENTED),
    # SQLAlchemy and Alembic
    Private("_variant_mapping", "sqlalchemy.types:TypeEngine", "to read the variants of a type"),
    Private("_type_affinity", "sqlalchemy.types:TypeEngine", "to compare the kinds of two types"),
    Private("_create_rule", "sqlalchemy.schema:Constraint", "to know which engines have a type's constraint"),
    Private("_type_bound", "sqlalchemy.schema:Constraint", "to know the constraints that a type makes"),
    Private("_force_column_to_nullable", "sqlalchemy.dialects.mysql.base", "for MariaDB's generated columns"),
    Private("_should_recreate", "alembic.operations.batch:BatchOperationsImpl", "to rebuild without loss", BATCH),
    # marshmallow
    Private("_default_error_messages", "marshmallow.schema:Schema", "to translate them"),
    Private("_serialize", "marshmallow.fields:Field", "to write the values of a field", DOCUMENTED),
    Private("_deserialize", "marshmallow.fields:Field", "to read the values of a field", DOCUMENTED),
    Private("_validated", "marshmallow.fields:Number", "to read numbers strictly"),
    Private("_format_num", "marshmallow.fields:Number", "to know whether a field writes as marshmallow does"),
    Private("_to_string", "marshmallow.fields:Number", "to know whether a field writes as marshmallow does"),
    Private("_hooks", "marshmallow.schema:Schema", "to know whether a schema has hooks", "marshmallow#1841"),
    Private("_schema", "marshmallow.exceptions", "as the key of errors of no field", DOCUMENTED),
    Private("_add_column_kwargs", "marshmallow_sqlalchemy:ModelConverter", "to make fields of columns", CONVERTER),
    Private("_get_field_class_for_column", "marshmallow_sqlalchemy:ModelConverter", "to choose fields", CONVERTER),
    # Forms
    Private("_value", "wtforms:StringField", "to show a value as text", DOCUMENTED),
    Private("_formfield", "wtforms.fields.core", "to know the fields of a form that was not made"),
    Private("_data", "wtforms_sqlalchemy.fields:QuerySelectField", "to read only rows that are chosen"),
    Private("_formdata", "wtforms_sqlalchemy.fields:QuerySelectField", "to read only rows that are chosen"),
    Private("_get_data", "wtforms_sqlalchemy.fields:QuerySelectField", "to read only rows that are chosen"),
    Private("_set_data", "wtforms_sqlalchemy.fields:QuerySelectField", "to read only rows that are chosen"),
    Private("_exempt_views", "flask_wtf:CSRFProtect", "to know what is exempt without checking it"),
    Private("_exempt_blueprints", "flask_wtf:CSRFProtect", "to know what is exempt without checking it"),
    # Accounts
    Private("_user_id", "flask_login.utils", "to know of a sign-in without reading the account"),
    Private("_remember", "flask_login.utils", "to know whether to stay signed in, without a cookie of its own"),
    Private("_login_user", "flask_login.utils", "to forget a sign-in that failed"),
    Private("_on_identity_changed", "flask_principal:Principal", "to keep one identity, that of core.access"),
    Private("_verify_token_status", "flask_security.change_email", "to know whose link it is before it takes effect"),
    Private("_totp", "flask_security:Totp", "to encrypt with a key that is no number"),
    Private("_tf_impls", "flask_security.tf_plugin:TfPlugin", "to keep its second factors"),
    # Drivers, servers, and what else
    Private("_WaitTimeout", "psycopg.errors", "to know that the server did not answer in time"),
    Private("_read_timeout", "pymysql.connections:Connection", "to wait as long as a request may", "PyMySQL#393"),
    Private("_keepalive_after", "gunicorn.workers.gthread:ThreadWorker", "to bound unread bodies", "gunicorn#3301"),
    Private("_value", "prometheus_client:Counter", "to count in half the time", "client_python#636, refused"),
    Private("_sum", "prometheus_client:Histogram", "to count in half the time", "client_python#636, refused"),
    Private("_buckets", "prometheus_client:Histogram", "to count in half the time", "client_python#636, refused"),
    Private(
        "_register_view", "flask_restful:Api", "for resources of blueprints", "flask-restful#883: no release to come"
    ),
    Private("_replace", "urllib.parse:SplitResult", "as that of a named tuple", DOCUMENTED),
]


# --- what is used -------------------------------------------------------------------------------


@cache
def trees() -> dict[Path, ast.Module]:
    paths = [ROOT / name for name in FILES if (ROOT / name).exists()]
    paths += [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {path: ast.parse(path.read_text()) for path in paths}


def is_private(name: str) -> bool:
    return re.fullmatch(r"_[a-zA-Z]\w*", name) is not None and not name.endswith("__")


def defined(tree: ast.AST) -> set[str]:
    """Return the private names that a file, or a class, makes itself."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), ctx=ast.Store()):
                names.add(node.attr)
            case ast.arg():
                names.add(node.arg)
    return {name for name in names if is_private(name)}


def used() -> Iterator[tuple[str, str]]:
    """Yield each private name that is no name of the file in which it is used, with the place."""
    for path, tree in trees().items():
        own = defined(tree)
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in (node for node in ast.walk(tree) if id(node) not in parts):
            for name in named(node):
                if is_private(name) and (name not in own or is_inherited(node)):
                    yield name, f"{path.relative_to(ROOT)}:{node.lineno}"


def named(node: ast.AST) -> Iterable[str]:
    """Return the names that one node of a file asks for."""
    match node:
        case ast.Attribute():
            return (node.attr,)
        case ast.ImportFrom(level=0, module=str(module)) if module.partition(".")[0] not in OURS:
            return (*module.split("."), *(alias.name for alias in node.names))
        case ast.Constant(value=str(text)) if text not in WORDS:
            return (text,)
    return ()


def is_inherited(node: ast.AST) -> bool:
    """Return whether a name is asked of ``super()``: then it is a library's, though the file has it too."""
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) == "super()"


def overridden() -> Iterator[tuple[str, str]]:
    """Yield each private name of a class that a library's class, from which it derives, has as well."""
    for path, tree in trees().items():
        relative = path.relative_to(ROOT)
        if relative.parts[0] not in FOLDERS or "data" in relative.parts[2:-1]:
            continue
        module = import_module(".".join(relative.with_suffix("").parts).removesuffix(".__init__"))
        for node in tree.body:
            kind = getattr(module, node.name, None) if isinstance(node, ast.ClassDef) else None
            if isinstance(kind, type):
                for name in defined(node):
                    if any(has(base, name) for base in kind.__mro__ if is_of_library(base)):
                        yield name, f"{relative}:{node.lineno}"


def is_of_library(kind: type[Any]) -> bool:
    return kind.__module__.partition(".")[0] not in (*OURS, "builtins", "typing")


@cache
def source(owner: Any) -> str:
    try:
        return inspect.getsource(owner)
    except (OSError, TypeError):
        return ""


def has(owner: Any, name: str) -> bool:
    """Return whether a class or a module has a name, or gives it to its objects."""
    return name in vars(owner) or re.search(rf"\bself\.{name}\b", source(owner)) is not None


# --- the list -----------------------------------------------------------------------------------


def test_private_names_are_listed() -> None:
    listed = {one.name for one in NAMES}
    found = dict((*used(), *overridden()))
    unknown = [f"{place}: {name}" for name, place in sorted(found.items()) if name not in listed]
    assert unknown == [], "Use a public name. If there is none, list it here with the reason and upstream's issue."
    assert sorted(listed - found.keys()) == [], "These are used no more: take them from the list."


@pytest.mark.parametrize("one", NAMES, ids=lambda one: f"{one.owner}.{one.name}")
def test_private_name_is_still_there(one: Private) -> None:
    owner = find(one.owner)
    there = hasattr(owner, one.name) or re.search(rf"\b{one.name}\b", source(owner))
    assert there, f"{one.owner} has no {one.name} any more. It is used {one.why}. Upstream: {one.upstream}."


def find(path: str) -> Any:
    module, _, names = path.partition(":")
    found = import_module(module)
    for name in filter(None, names.split(".")):
        found = getattr(found, name)
    return found

"""The layers of the house, held by reading its source: imports between packages, and names of files.

A rule takes the sources and gives its faults. Each is first shown to find something.
"""

import ast
import difflib
import functools
import graphlib
import re
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest

from config import ROOT
from settings import INSTALLED_APPS

#: Names of a module's files besides plural nouns; the offers among them are collected by name.
KNOWN_FILES = {
    *("routes", "api", "models", "schemas", "forms", "signals"),
    *(
        "rpc",
        "health",
        "admin",
        "cli",
        "tasks",
        "menu",
        "demo",
        "errors",
        "checks",
        "declarations",
        "encrypted",
        "migrations",
        "settings",
        "security_events",
    ),
}
NAMELESS = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}
#: The packages and files of the core, from the ground up: each may import only what stands in an earlier line.
CORE_ORDER = (
    {"__init__"},
    {"platform"},
    {"exceptions", "signals", "faults", "logs"},
    {"modules"},
    {"declarations"},
    {"configuration"},
    {"fields"},
    {"data"},
    {"access"},
    {"crud", "http"},
    {"api"},
    {"forms"},
    {"rest", "pages"},
    {"resources"},
    {"migrations"},
    {"serving"},
    {"cli"},
    {"factory"},
)
OURS = {"app", "benchmarks", "config", "core", "run", "scripts", "services", "settings", "tests", "wsgi"}


@dataclass(frozen=True)
class Source:
    """One file: its path from the project's root, its syntax, and its text."""

    path: PurePosixPath
    tree: ast.Module
    text: str

    @property
    def name(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        return self.name if self.path.stem == "__init__" else self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Import:
    """``from MODULE import NAME``, the module in full; ``import MODULE`` has no name."""

    where: str
    source: Source
    module: str
    name: str | None
    is_relative: bool


TYPE_ONLY = ast.parse("TYPE_CHECKING", mode="eval").body


def sources(texts: dict[str, str]) -> list[Source]:
    return [Source(PurePosixPath(path), ast.parse(text), text) for path, text in texts.items()]


@functools.cache
def project() -> list[Source]:
    folders = ("core", "app", "alembic", "benchmarks", "scripts")
    paths = [*ROOT.glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    return sources({path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(paths)})


def imports(found: list[Source], *, running: bool = False) -> Iterator[Import]:
    """Return every import; when running, without those that are for types only."""
    for source in found:
        for node in _nodes(source.tree, running):
            where = f"{source.path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                yield from (Import(where, source, alias.name, None, False) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = _absolute(source, node)
                yield from (Import(where, source, module, alias.name, node.level > 0) for alias in node.names)


def _nodes(node: ast.AST, running: bool) -> Iterator[ast.AST]:
    if running and isinstance(node, ast.If) and ast.dump(node.test) == ast.dump(TYPE_ONLY):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _nodes(child, running)


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    parts = source.package.split(".")
    base = parts[: len(parts) - node.level + 1] if node.level else []
    return ".".join([*base, *([node.module] if node.module else [])])


# --- the rules ----------------------------------------------------------------------------------


def layers(found: list[Source]) -> list[str]:
    """Everything but the modules imports only what lies beneath it."""
    allowed = {
        "config": {"core.configuration"},
        "settings": set(),
        "services": set(),
        "core": {"config", "settings", "services", "core"},
        "run": {"config", "settings", "services", "core"},
        "wsgi": {"run"},
        "alembic": {"core"},
    }
    faults = []
    for one in imports(found):
        layer, target = one.source.name.partition(".")[0], one.module.partition(".")[0]
        beneath = set() if one.source.name.startswith("alembic.versions") else allowed.get(layer)
        if target in OURS and beneath is not None and not {target, one.module} & beneath:
            faults.append(f"{one.where}: {one.source.name} must not import {target}")
    return faults


def core_order(found: list[Source]) -> list[str]:
    """Within the core, a package imports only those that stand before it in the order."""
    levels = {part: number for number, parts in enumerate(CORE_ORDER) for part in parts}
    faults = []
    for one in imports(found):
        path, target = one.source.path, one.module.split(".")
        if path.parts[0] != "core" or target[0] != "core":
            continue
        part = path.parts[1].removesuffix(".py")
        imported = target[1] if len(target) > 1 else one.name
        if imported != part and levels.get(imported, len(levels)) >= levels[part]:
            faults.append(f"{one.where}: core.{part} must not import core.{imported}")
    return faults


def front_doors(found: list[Source], installed: list[str] = INSTALLED_APPS) -> list[str]:
    """A module imports itself relatively, the core, the services, and front doors of modules above it."""
    files = {source.name for source in found}
    faults = []
    for one in imports(found):
        owner = _module(one.source.name)
        if owner is None or one.module.partition(".")[0] not in OURS:
            continue
        fault = _door_fault(one, owner, files, installed)
        if fault:
            faults.append(f"{one.where}: {fault}")
    return faults


def _door_fault(one: Import, owner: str, files: set[str], installed: list[str]) -> str | None:
    # `from app import blog` imports the package as much as `import app.blog`.
    target = f"{one.module}.{one.name}" if one.module == "app" else one.module
    if not target.startswith("app."):
        # Settings are read before there is anything else.
        is_early = one.source.path.stem == "settings"
        beneath = {"config", "core.configuration"} if is_early else {"core", "services", "settings"}
        return None if {target, target.partition(".")[0]} & beneath else f"{owner} must not import {target}"
    other = _module(target) or target
    if other == owner:
        return None if one.is_relative else f"{owner} imports itself: write it relative"
    if target != other or f"{target}.{one.name}" in files:
        return f"{target} is behind the front door of {other}: import from {other} what its __all__ gives"
    order = {name: number for number, name in enumerate(installed)}
    if order.get(other, len(order)) >= order.get(owner, len(order)):
        return f"{other} is not above {owner} in INSTALLED_APPS"
    return None


def _module(name: str) -> str | None:
    """Return the module that a dotted name belongs to: ``app.blog`` for ``app.blog.models``."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "app" and len(parts) > 1 else None


def imports_in_functions(found: list[Source]) -> list[str]:
    """An import inside a function is a cycle confessed."""
    faults = set()
    for source in found:
        for function in _functions(source):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    faults.add(f"{source.path}:{node.lineno}: an import inside a function: move it to the top")
    return sorted(faults)


def cycles(found: list[Source]) -> list[str]:
    """No file needs, however indirectly, itself."""
    files = {source.name for source in found}
    graph: dict[str, set[str]] = {name: set() for name in files}
    for one in imports(found, running=True):
        target = f"{one.module}.{one.name}" if f"{one.module}.{one.name}" in files else one.module
        # A module's __init__ imports its routes, which import its blueprint: Flask's own pattern.
        if target in files and target != _module(one.source.name):
            graph[one.source.name].add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [f"a cycle of imports: {' → '.join(reversed(error.args[1]))}"]
    return []


def file_names(found: list[Source]) -> list[str]:
    """A file is called after what is in it; and some names have a trap."""
    faults = [f"{source.path}: say what is in it" for source in found if source.path.stem in NAMELESS]
    for source in found:
        path = source.path
        if path.name == "__init__.py" and path.parts[0] in ("alembic", "tests"):
            faults.append(f"{path}: must not be, or the folder hides the package of that name")
        if path.parts[0] in ("app", "core") and ("tests" in path.parts or path.stem.startswith(("test_", "conftest"))):
            faults.append(f"{path}: tests are in tests/{path.parts[1]}/")
    return faults


def near_misses(found: list[Source]) -> list[str]:
    """An offer whose file is misspelt would silently not be there."""
    faults = []
    for source in found:
        parts, stem = source.path.parts, source.path.stem
        if parts[0] != "app" or len(parts) != 3 or stem in KNOWN_FILES:
            continue
        meant = difflib.get_close_matches(stem, sorted(KNOWN_FILES), n=1, cutoff=0.8)
        meant += [name for name in KNOWN_FILES if sorted(name) == sorted(stem)]
        if meant:
            faults.append(f"{source.path}: is {meant[0]}.py meant?")
    return faults


def unknown_offers(found: list[Source]) -> list[str]:
    """Offers are all in the list that near misses are compared with."""
    faults = []
    for source in found:
        for call in ast.walk(source.tree):
            if not isinstance(call, ast.Call) or not call.args or not isinstance(call.args[-1], ast.Constant):
                continue
            function, name = ast.unparse(call.func), call.args[-1].value
            if function.endswith(("offers", "module.file", "module.has")) and name not in KNOWN_FILES:
                faults.append(f"{source.path}:{call.lineno}: {name!r} is collected, but not in KNOWN_FILES")
    return faults


#: Labels that are words of the language or of the field as well. In a text they mean no module.
WORDS = {
    *("about", "api", "bulk", "cors", "db", "deprecation", "development", "events", "example", "health", "history"),
    *("home", "limits", "secret", "uploads"),
}


def core_names_modules(found: list[Source], installed: list[str] = INSTALLED_APPS) -> list[str]:
    """No text of the core names a module: by its label, a name that begins with it, a setting, or an event."""
    labels = {name.rpartition(".")[2] for name in installed} - WORDS
    owned = [*_settings_of(found), *_events_of(found)]
    names, words = "|".join([*sorted(labels), *map(re.escape, owned)]), "|".join(sorted(WORDS))
    pattern = re.compile(rf"(?<![a-z])app\.[a-z]+|^(?:{words})[./]\w|(?<![A-Za-z])(?:{names})(?![A-Za-z])")
    faults = []
    for source in found:
        if source.path.parts[0] != "core":
            continue
        for constant in _texts(source):
            if named := pattern.search(constant.value):
                faults.append(f"{source.path}:{constant.lineno}: the core must not name a module: {named[0]!r}")
    return faults


def _texts(source: Source) -> Iterator[ast.Constant]:
    """Yield the strings of a file that are no docstrings."""
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    heads = [node.body[0] for node in ast.walk(source.tree) if isinstance(node, holders) and node.body]
    docstrings = {id(head.value) for head in heads if isinstance(head, ast.Expr)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


def _settings_of(found: list[Source]) -> list[str]:
    """Return the names of the settings that modules have."""
    calls = [call for source in found if source.path.match("app/*/settings.py") for call in ast.walk(source.tree)]
    names = [one.args[0] for one in calls if isinstance(one, ast.Call) and ast.unparse(one.func) == "Setting"]
    return [str(name.value) for name in names if isinstance(name, ast.Constant)]


def _events_of(found: list[Source]) -> list[str]:
    """Return the events that modules write into the security log."""
    files = [source for source in found if source.path.match("app/*/security_events.py")]
    dicts = [node for source in files for node in ast.walk(source.tree) if isinstance(node, ast.Dict)]
    return [key.value for one in dicts for key in one.keys if isinstance(key, ast.Constant)]


#: Keys of libraries in ``app.extensions`` that modules read.
THEIRS = {"security"}


def extension_keys(found: list[Source]) -> list[str]:
    """A module keeps one object in ``app.extensions``, under its label; the core keeps one as well."""
    faults = []
    for source in found:
        own = source.path.parts[1] if source.path.parts[0] == "app" else "andamio"
        for node in ast.walk(source.tree):
            key = _extension_key(node)
            if key is not None and key not in {own, *THEIRS} and source.path.parts[0] in ("app", "core"):
                faults.append(f"{source.path}:{node.lineno}: keep it in the object under {own!r}, not as {key!r}")
    return faults


def _extension_key(node: ast.AST) -> str | None:
    if isinstance(node, ast.Subscript):
        place, key = node.value, node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        place, key = node.func.value, node.args[0]
    else:
        return None
    of_app = ast.unparse(place).endswith(".extensions") and isinstance(key, ast.Constant)
    return str(key.value) if of_app else None


#: The file that commits the session.
COMMITS = "core/crud/transactions.py"


def commits(found: list[Source]) -> list[str]:
    """The session is committed in one file.

    Connections commit themselves where there is no session: settings of a new connection, locks of migrations,
    hand-written SQL, dumps and loads. Flask-Security commits in ``after_this_request``, in its own code: by then
    `app/accounts/commits.py` has committed its view, and it finds nothing to do.
    """
    faults = []
    for source in found:
        for call in ast.walk(source.tree):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "commit":
                continue
            of_session = not ast.unparse(call.func.value).endswith(("connection", "pooled"))
            if of_session and source.path.parts[0] in ("core", "app") and str(source.path) != COMMITS:
                faults.append(f"{source.path}:{call.lineno}: commit by core.crud.transaction")
    return faults


#: Objects that imported code registers, as tables are in SQLAlchemy's metadata: by class or name. An application
#: reads those of its modules. It keeps nothing else at module level.
REGISTRIES = {
    "NAMES": "permissions that policies ask for",
    "OWNERS_NAMES": "those that owners need not have",
    "_reserved": "words of addresses, by model",
    "_decimals": "digits of columns, by model",
    "_first": "the verbs over a model that no face serves",
    "_ADDED": "field classes for the types of one engine",
    "_apis": "the Api of a blueprint, by blueprint",
    "_engines": "engines whose connections a forked process drops",
}
CONTAINERS = {"set", "dict", "list", "defaultdict", "deque", "OrderedDict", "Counter", "WeakSet", "WeakKeyDictionary"}


def module_state(found: list[Source]) -> list[str]:
    """No file of the core has an empty container at module level, to be filled by applications."""
    faults = []
    for source in found:
        for node in source.tree.body if source.path.parts[0] == "core" else ():
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_empty(node.value):
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                if ast.unparse(target) not in REGISTRIES:
                    faults.append(f"{source.path}:{node.lineno}: keep {ast.unparse(target)} in core.platform.Platform")
    return faults


def _is_empty(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return not value.args and ast.unparse(value.func).rpartition(".")[2] in CONTAINERS
    return ast.unparse(value) in ("{}", "[]")


#: ``# type: ignore`` without the error's code, or without a reason after it.
UNEXPLAINED = re.compile(r"#\s*type:\s*ignore(?!\[[a-z, -]+\]  # \S)")


def unexplained_ignores(found: list[Source]) -> list[str]:
    """An ignored error of the type checker is named, and the reason stands after it."""
    return [
        f"{source.path}:{number}: write # type: ignore[CODE]  # REASON"
        for source in found
        for number, line in enumerate(source.text.splitlines(), 1)
        if UNEXPLAINED.search(line)
    ]


def long_functions(found: list[Source]) -> list[str]:
    """Nine in ten functions are under 40 lines."""
    lengths = [
        (function.end_lineno - function.lineno + 1, f"{source.path}:{function.lineno} {function.name}")
        for source in found
        if not source.name.startswith("alembic.versions")
        for function in _functions(source)
    ]
    long = [f"{place}: {length} lines" for length, place in sorted(lengths, reverse=True) if length >= 40]
    return long if len(long) * 10 > len(lengths) else []


def _functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


# --- the project keeps them ---------------------------------------------------------------------

RULES: list[Callable[[list[Source]], list[str]]] = [
    layers,
    core_order,
    front_doors,
    imports_in_functions,
    cycles,
    file_names,
    near_misses,
    unknown_offers,
    commits,
    core_names_modules,
    extension_keys,
    module_state,
    unexplained_ignores,
    long_functions,
]


@pytest.mark.parametrize("rule", RULES)
def test_project_keeps_the_rule(rule):
    assert rule(project()) == []


#: The demos as tests call them: a module, a file, an address, a table. Alone, `/api/v1` is within any module.
_DEMOS = "(api|events|example)"
DEMO = re.compile(rf"""app[./]{_DEMOS}\b|["']/(?!api/v1["']){_DEMOS}["'/?]|["']{_DEMOS}_[a-z]+["']""")


def test_demos_named_only_in_own_tests():
    """They are deleted with their tests, and all others go on."""
    tests = ROOT / "tests"
    theirs = [path for name in ("api", "decoupled", "events", "example") for path in (tests / name).rglob("*.py")]
    # Beside this file, those that follow documents, which show the demos; they are skipped without.
    excepted = ("test_boundaries.py", "test_docs.py", "test_deploy.py", "deployed_load.py")
    others = {*tests.rglob("*.py")} - {*theirs, *(tests / name for name in excepted)}
    assert {str(path): found[0] for path in others if (found := DEMO.search(path.read_text()))} == {}


@pytest.mark.parametrize("text", ["import app.api", "'app/example'", '"/example/products"', '"/api"', "'api_city'"])
def test_a_demo_is_found(text):
    assert DEMO.search(text)


def test_tests_are_no_package():
    assert not list((ROOT / "tests").rglob("__init__.py"))
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_the_whole_project_is_read():
    names = {source.name for source in project()}

    assert {"config", "services", "run", "core", "core.factory", "alembic.env", *INSTALLED_APPS} <= names


# --- and the rules find what they are for -------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("config.py", "import services"),
        ("config.py", "from core import modules"),
        ("config.py", "from core.modules import Module"),
        ("services.py", "from core.signals import migrated"),
        ("services.py", "import config"),
        ("settings.py", "import config"),
        ("core/pages/menu.py", "from app.blog import bp"),
        ("core/pages/menu.py", "import app"),
        ("core/pages/menu.py", "from run import app"),
        ("core/pages/menu.py", "from tests import servers"),
        ("core/pages/menu.py", "if TYPE_CHECKING:\n    from app.blog.models import Post"),
        ("run.py", "from app.blog import bp"),
        ("alembic/env.py", "import app.blog.models"),
        ("alembic/versions/0001.py", "from core.data.models import Money"),
    ],
)
def test_an_import_upwards_is_found(path, text):
    assert len(layers(sources({path: text}))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("core/fields/columns.py", "from ..crud import Crud"),
        ("core/crud/verbs.py", "from ..http.links import single_args"),
        ("core/http/errors.py", "from ..crud.verbs import Page"),
        ("core/api/contract.py", "from core.rest import Api"),
        ("core/rest/dump.py", "from .. import pages"),
        ("core/pages/views.py", "from ..rest.dump import plan"),
        ("core/forms/inputs.py", "from ..pages.menu import Link"),
        ("core/rest/rows.py", "from core import create_app"),
        ("core/rest/rows.py", "import core"),
        ("core/__init__.py", "from .factory import create_app"),
        ("core/fields/schemas.py", "from ..crud import Crud"),
        ("core/data/models.py", "from ..factory import create_app"),
        ("core/data/models.py", "from ..something import new"),
        ("core/api/limits.py", "if TYPE_CHECKING:\n    from ..rest import Api"),
    ],
)
def test_import_against_core_order_found(path, text):
    assert len(core_order(sources({path: text}))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("core/crud/verbs.py", "from . import integrity\nfrom .. import signals\nfrom ..fields.strict import Text"),
        ("core/rest/rows.py", "from ..data import cursors\nfrom ..crud.verbs import Crud\nfrom ..http.json import x"),
        ("core/fields/schemas.py", "from .columns import field_class"),
        ("core/factory.py", "from . import http\nfrom .pages.menu import Link"),
        ("app/blog/routes.py", "from core.pages.menu import Link"),
    ],
)
def test_import_in_core_order_passes(path, text):
    assert core_order(sources({path: text})) == []


def test_core_packages_all_in_order():
    parts = {source.path.parts[1].removesuffix(".py") for source in project() if source.path.parts[0] == "core"}

    assert parts == set().union(*CORE_ORDER)


INSTALLED = ["app.home", "app.blog", "app.shop"]
FILES = {f"app/{label}/{file}.py": "" for label in ("home", "blog", "shop") for file in ("__init__", "models")}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("from app.home.models import Page", "behind the front door"),
        ("import app.home.models", "behind the front door"),
        ("from app.home import models", "behind the front door"),
        ("from ..home import models", "behind the front door"),
        ("from app.shop import cart", "not above"),
        ("from app import shop", "not above"),
        ("from .. import shop", "not above"),
        ("from app.gone import x", "not above"),
        ("from app.blog.models import Post", "write it relative"),
        ("import config", "must not import"),
        ("import run", "must not import"),
        ("from tests import servers", "must not import"),
        ("def view():\n    from app.shop import cart", "not above"),
    ],
)
def test_import_around_front_door_found(text, fault):
    (found,) = front_doors(sources({**FILES, "app/blog/routes.py": text}), INSTALLED)

    assert fault in found


@pytest.mark.parametrize(
    "text",
    [
        "from app.home import page_url",
        "import app.home",
        "from ..home import page_url",
        "from . import bp",
        "from .models import Post",
        "from core.crud import Crud",
        "from services import db",
        "from settings import PAGE_SIZE",
        "from flask import Flask",
    ],
)
def test_allowed_module_import_passes(text):
    assert front_doors(sources({**FILES, "app/blog/routes.py": text}), INSTALLED) == []


def test_settings_import_the_configuration_only():
    text = "from config import ROOT\nfrom core.configuration import Setting"
    assert front_doors(sources({**FILES, "app/blog/settings.py": text}), INSTALLED) == []
    (found,) = front_doors(sources({**FILES, "app/blog/settings.py": "from services import db"}), INSTALLED)

    assert "must not import services" in found


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    import os",
        "async def f():\n    from os import path",
        "class C:\n    def f(self):\n        if self:\n            import os",
        "def f():\n    def g():\n        import os",
    ],
)
def test_import_inside_function_found(text):
    assert len(imports_in_functions(sources({"core/x.py": text}))) == 1


@pytest.mark.parametrize(
    "texts",
    [
        {"core/a.py": "from . import b", "core/b.py": "from .a import x"},
        {"core/a.py": "from core.b import x", "core/b.py": "import core.c", "core/c.py": "from . import a"},
        {"core/__init__.py": "from .a import x", "core/a.py": "from core import x"},
        {"app/blog/posts.py": "from . import forms", "app/blog/forms.py": "from .posts import x"},
    ],
)
def test_a_cycle_is_found(texts):
    (found,) = cycles(sources(texts))

    assert "→" in found


@pytest.mark.parametrize(
    "texts",
    [
        {"core/__init__.py": "from .a import x", "core/a.py": "from . import b", "core/b.py": ""},
        {"core/a.py": "if TYPE_CHECKING:\n    from .b import x", "core/b.py": "from .a import y"},
        {"app/blog/__init__.py": "from . import routes", "app/blog/routes.py": "from . import bp"},
    ],
)
def test_acyclic_imports_pass(texts):
    assert cycles(sources(texts)) == []


@pytest.mark.parametrize(
    "path",
    [
        "core/utils.py",
        "app/blog/helpers.py",
        "app/blog/common.py",
        "core/manager.py",
        "alembic/__init__.py",
        "tests/blog/__init__.py",
        "app/blog/test_posts.py",
        "app/blog/tests/posts.py",
        "app/blog/conftest.py",
    ],
)
def test_a_bad_file_name_is_found(path):
    assert len(file_names(sources({path: ""}))) == 1


@pytest.mark.parametrize("stem", ["model", "menus", "task", "helth", "route", "admins", "cil", "rcp", "form", "apis"])
def test_a_misspelt_offer_is_found(stem):
    assert len(near_misses(sources({f"app/blog/{stem}.py": ""}))) == 1


@pytest.mark.parametrize("stem", ["__init__", "posts", "products", "places", "loading", "users", "tags", "catalogue"])
def test_a_noun_is_no_misspelt_offer(stem):
    assert near_misses(sources({f"app/blog/{stem}.py": ""})) == []


def test_unknown_offer_found():
    (found,) = unknown_offers(sources({"app/health/__init__.py": "offers(app, 'rpc')\noffers(app, 'pulse')"}))

    assert "'pulse'" in found


@pytest.mark.parametrize(
    "text",
    [
        'key = "maintenance"',
        'hint = "Run flask doctor."',
        'import_module("app.shop")',
        'hint = f"see app.history of {x}"',
        'event = "history.pruned"',
        'names = ("MAIL_URL",)',
        'record("token.made")',
    ],
)
def test_module_named_in_core_is_found(text):
    modules = {
        "app/accounts/settings.py": 'SETTINGS = (Setting("MAIL_URL", str, None, ""),)',
        "app/accounts/security_events.py": 'EVENTS = {"token.made": "a token was made"}',
    }
    installed = ["app.accounts", "app.maintenance", "app.doctor", "app.history"]

    assert len(core_names_modules(sources({**modules, "core/x.py": text}), installed)) == 1
    assert core_names_modules(sources({**modules, "app/shop/x.py": text}), installed) == []


@pytest.mark.parametrize("text", ['"""See app.history."""', 'word = "the secret is weak"', 'x = "in development only"'])
def test_word_of_the_field_passes(text):
    assert core_names_modules(sources({"core/x.py": text})) == []


@pytest.mark.parametrize(
    "text", ['app.extensions["basket"] = {}', 'x = app.extensions.get("blog_x")', 'app.extensions.setdefault("b", {})']
)
def test_strange_extension_key_is_found(text):
    assert len(extension_keys(sources({"app/blog/routes.py": text}))) == 1


@pytest.mark.parametrize("ignore", ["# type: ignore", "# type: ignore[misc]", "# type:ignore[misc] # x"])
def test_unexplained_ignore_is_found(ignore):
    assert len(unexplained_ignores(sources({"core/x.py": f"x = 1  {ignore}"}))) == 1
    assert unexplained_ignores(sources({"core/x.py": "x = 1  # it has no types"})) == []


@pytest.mark.parametrize("text", ["known = {}", "names: set[str] = set()", "found = weakref.WeakKeyDictionary()"])
def test_state_at_module_level_is_found(text):
    assert len(module_state(sources({"core/x.py": text}))) == 1
    assert module_state(sources({"core/x.py": f"def f():\n    {text}"})) == []


def test_extension_under_label_passes():
    assert extension_keys(sources({"app/blog/routes.py": 'app.extensions["blog"] = Blog()'})) == []


@pytest.mark.parametrize("text", ["db.session.commit()", "session.commit()", "def f():\n    db.session().commit()"])
def test_commit_elsewhere_is_found(text):
    assert len(commits(sources({"app/blog/routes.py": text}))) == 1
    assert commits(sources({COMMITS: text})) == []


def test_connection_may_commit():
    assert commits(sources({"core/cursors.py": "connection.commit()\nself.connection.commit()"})) == []


def test_long_functions_are_found():
    short, long = "def f():\n    pass\n", "def g():\n" + "    pass\n" * 40

    assert len(long_functions(sources({"core/x.py": short * 5 + long}))) == 1
    assert long_functions(sources({"core/x.py": short * 9 + long})) == []

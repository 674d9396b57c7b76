"""Tables of installed modules that no revision has: ``models.py`` does not reach their MetaData, or their file."""

import ast
import logging
import sys
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from flask import Flask
from flask.blueprints import BlueprintSetupState
from sqlalchemy import MetaData
from sqlalchemy import Table

from core import modules
from core import signals
from core.data import inventory
from core.data import revisions
from core.modules import Module
from services import db

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stray:
    """Tables that are declared, and migrated by nothing.

    :param module: the installed module, ``app.shop``
    :param file: where they are declared, from the project's root
    :param tables: their names
    """

    module: str
    file: str
    tables: tuple[str, ...]

    @property
    def message(self) -> str:
        """Return a sentence that names them."""
        return f"{', '.join(self.tables)} in {self.file}: no revision has what {self.module} declares there."

    @property
    def hint(self) -> str:
        """Return a sentence that says what to write."""
        return f"Import it in {self.module.replace('.', '/')}/models.py, or move it there: migrations read that file."


def warn_in_development(state: BlueprintSetupState) -> None:
    """In development, log the tables that no revision has once the application is whole."""
    if state.app.config["APP_ENV"] == "development":
        signals.app_ready.connect(_warn, sender=state.app)


def _warn(app: Flask) -> None:
    for stray in find_strays(modules.installed(app)):
        logger.warning("%s %s", stray.message, stray.hint)


def find_strays(installed: Sequence[Module]) -> Iterator[Stray]:
    """Yield the tables in files of the installed modules that alembic does not see."""
    known = {id(db.metadata), *(id(found) for module in installed for found in modules.metadatas(module))}
    for module in installed:
        for path in _files(module):
            name = _dotted(module, path)
            loaded = sys.modules.get(name)
            # Another command may have loaded it by now, as `flask routes` does; alembic has not.
            tables = _foreign(loaded, known) if loaded else _declared(path)
            if tables:
                yield Stray(module.name, _shown(path), tuple(sorted(tables)))


def _files(module: Module) -> list[Path]:
    folders = [Path(folder) for folder in getattr(module.package, "__path__", ())]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def _dotted(module: Module, path: Path) -> str:
    (folder,) = [Path(one) for one in module.package.__path__ if path.is_relative_to(one)][:1]
    parts = path.relative_to(folder).with_suffix("").parts
    return ".".join([module.name, *(parts[:-1] if parts[-1] == "__init__" else parts)])


def _shown(path: Path) -> str:
    return str(path.relative_to(revisions.ROOT)) if path.is_relative_to(revisions.ROOT) else str(path)


def _foreign(loaded: ModuleType, known: set[int]) -> set[str]:
    """Return the tables that a file declares on a MetaData which no ``models.py`` has, nor another database."""
    found = set()
    for value in list(vars(loaded).values()):
        # Nothing else is asked: `current_app` cannot be, yet.
        if not isinstance(value, type | Table):
            continue
        table = value if isinstance(value, Table) else getattr(value, "__table__", None)
        is_own = isinstance(value, Table) or value.__module__ == loaded.__name__
        if isinstance(table, Table) and is_own and inventory.is_migrated(table) and _is_stray(table.metadata, known):
            found.add(table.name)
    return found


def _is_stray(metadata: MetaData, known: set[int]) -> bool:
    return id(metadata) not in known and metadata.info.get("bind_key") is None


def _declared(path: Path) -> set[str]:
    """Return the tables that a file declares which nothing has imported."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if "__tablename__" not in text and "Table(" not in text:
        return set()
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except SyntaxError:
        return set()
    return {name for node in nodes for name in _names(node)}


#: How a call of ``Table`` says that no revision makes the table; see :func:`core.data.inventory.is_migrated`.
_UNMIGRATED = {"info={'migrated': False}"}


def _names(node: ast.AST) -> Iterator[str]:
    value: ast.expr | None = None
    if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == ["__tablename__"]:
        value = node.value
    elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Table" and node.args:
        value = None if _UNMIGRATED & {ast.unparse(one) for one in node.keywords} else node.args[0]
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value

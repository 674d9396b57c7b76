"""The constraint that a database's refusal names, its columns, and the words that the model gives for it.

.. code-block:: python

    sa.CheckConstraint("ends > begins", "order", info={"message": "A stay ends after it begins."})
"""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from sqlalchemy.sql.visitors import iterate

from services import db

from ..fields.words import derived

#: A rule of a table that the database holds.
Rule = sa.Constraint | sa.Index

#: Texts in SQL, and its names.
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_NAME = re.compile(r'"([^"]+)"|`([^`]+)`|(\w+)')


def find_rule(error: Any, model: type[Any]) -> Rule | None:
    """Return the constraint or unique index that was broken; ``None`` if it is not known."""
    broken = _broken(error)
    for table in sa.inspect(model).tables:
        # MariaDB calls every primary key so.
        primary = {"PRIMARY"} if writes(error, table) else set()
        rules: list[Rule] = [*table.constraints, *table.indexes]
        for rule in rules:
            spellings = _spellings(rule, table)
            if broken in (spellings | primary if rule is table.primary_key else spellings):
                return rule
    return None


def writes(error: Any, table: sa.Table) -> bool:
    """Return whether the statement that failed was to write a row of this table."""
    quoted = re.escape(db.engine.dialect.identifier_preparer.format_table(table))
    return re.match(rf"(INSERT INTO|UPDATE) {quoted}\s", error.statement or "") is not None


def rule_columns(rule: Rule | None) -> list[sa.Column[Any]]:
    """Return the columns that a constraint or an index is about."""
    if rule is None or rule.table is None:
        return []
    columns = list(getattr(rule, "columns", ()))
    if columns and isinstance(rule, sa.CheckConstraint):
        return columns
    # A rule written as text has no columns to SQLAlchemy.
    text = _LITERAL.sub("", " ".join(_texts(rule)))
    names = {name.lower() for groups in _NAME.findall(text) for name in groups if name}
    return [column for column in rule.table.columns if column in columns or column.name.lower() in names]


def _texts(rule: Rule) -> list[str]:
    if isinstance(rule, sa.CheckConstraint):
        return [str(rule.sqltext)]
    parts: Sequence[Any] = rule.expressions if isinstance(rule, sa.Index) else ()
    return [str(part) for part in parts if not any(isinstance(one, sa.Column) for one in iterate(part))]


def rule_message(rule: Rule | None, model: type[Any]) -> str | None:
    """Return the words that the model gives for a constraint, or what its name says; ``None`` if it has neither."""
    if rule is None:
        return None
    if rule.info.get("message"):
        return derived(str(rule.info["message"]), model)
    if not isinstance(rule, sa.CheckConstraint):
        return None
    name = str(rule.name or "").removeprefix(f"ck_{rule.table.name}_").replace("_", " ")
    return gettext("It breaks the rule “%(name)s”.", name=name) if name else None


def _broken(error: Any) -> str:
    """Return the name of the broken constraint, or its columns; never a word of the data, which it quotes too."""
    cause: Any = error.orig
    if hasattr(cause, "diag"):
        return cause.diag.constraint_name or ""
    text = str(cause.args[-1])
    if len(cause.args) > 1:
        check = re.match(r"CONSTRAINT `(.+)` failed for ", text)
        return check[1] if check else text.rpartition("for key ")[2].strip("'")
    return text.partition(": ")[2]


def _spellings(rule: Rule, table: sa.Table) -> set[str]:
    """Return the names by which the engines may call a rule."""
    name = _name(rule)
    if isinstance(rule, sa.CheckConstraint):
        # MariaDB calls one that stands in a column's declaration by the column.
        column = {rule.parent.name, f"{table.name}.{rule.parent.name}"} if isinstance(rule.parent, sa.Column) else set()
        return {name, str(rule.sqltext), *column}
    if isinstance(rule, sa.Index) and not rule.unique:
        return set()
    listed = ", ".join(f"{table.name}.{column.name}" for column in rule_columns(rule))
    return {name, listed, f"index '{name}'"} - {""}


def _name(rule: Rule) -> str:
    """Return the name as the engine has it: one that is too long was cut; empty for a rule without a name."""
    if rule.name is None:
        return ""
    preparer = db.engine.dialect.identifier_preparer
    text = preparer.format_index(rule) if isinstance(rule, sa.Index) else preparer.format_constraint(rule)
    return str(text or "").strip('"`')

"""Names of models and their attributes, as pages show them."""

from core.fields.words import noun
from core.fields.words import words
from core.pages.display import label

from .plans import Plan


def noun_of(plan: Plan | None, table: str) -> str:
    """Return what a row is called: ``product``; of a model that is not there any more, the table."""
    return table if plan is None else noun(plan.mapper.class_)


def label_of(plan: Plan | None, name: str) -> str:
    """Return what people call a column; of a foreign key without a label they know the relationship."""
    if plan is None:
        return words(name).capitalize()
    column = plan.mapper.columns.get(name) if name in plan.columns else None
    has_label = column is not None and "label" in column.info
    return label(plan.mapper.class_, name if has_label else plan.pointers.get(name, name))

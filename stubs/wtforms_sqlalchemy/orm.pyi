"""The types of WTForms-SQLAlchemy, which ships none: those names that are used here."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeVar

from wtforms.fields.core import UnboundField

_Method = TypeVar("_Method", bound=Callable[..., Any])

def converts(*args: str) -> Callable[[_Method], _Method]: ...

class ModelConverter:
    converters: Mapping[str, Callable[..., Any]]
    def __init__(
        self, extra_converters: Mapping[str, Callable[..., Any]] | None = None, use_mro: bool = True
    ) -> None: ...
    def get_converter(self, column: Any) -> Callable[..., Any]: ...
    def convert(self, model: Any, mapper: Any, prop: Any, field_args: Any, db_session: Any = None) -> Any: ...

def model_fields(
    model: type[Any],
    db_session: Any = None,
    only: Any = None,
    exclude: Any = None,
    field_args: Any = None,
    converter: ModelConverter | None = None,
    exclude_pk: bool = False,
    exclude_fk: bool = False,
) -> dict[str, UnboundField[Any]]: ...

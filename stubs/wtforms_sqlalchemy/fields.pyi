from collections.abc import Callable
from typing import Any

from wtforms.fields import SelectFieldBase

class QuerySelectField(SelectFieldBase):
    get_pk: Callable[[Any], str]
    allow_blank: bool
    blank_text: str
    blank_value: str
    def __init__(self, *args: Any, get_pk: Callable[[Any], str] | None = None, **kwargs: Any) -> None: ...

class QuerySelectMultipleField(QuerySelectField): ...
class QueryCheckboxField(QuerySelectMultipleField): ...

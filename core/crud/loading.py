"""Options of a SELECT for rows of which only a part is shown."""

from collections.abc import Container
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import defer
from sqlalchemy.orm.interfaces import ORMOption

from ..fields.columns import is_long


def without_long(model: type[Any], shown: Container[str] = ()) -> list[ORMOption]:
    """Return the options that leave columns unread whose values may be long; they are read when they are asked for.

    :param shown: attributes that are read nevertheless
    """
    mapper = sa.inspect(model)
    needed = {*mapper.primary_key, mapper.version_id_col}
    columns = [one for one in mapper.column_attrs if one.key not in shown and one.columns[0] not in needed]
    return [defer(one.class_attribute) for one in columns if is_long(one.columns[0])]

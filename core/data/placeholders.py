"""The parameters of hand-written SQL: ``:name``, brought into the spelling of the driver."""

import re
from functools import lru_cache

#: Parts that are skipped, parameters, and what is ambiguous on some engine.
_TOKENS = re.compile(
    r"""
      '(?:[^'\\]|'')*' | "(?:[^"\\]|"")*" | `[^`]*`     # texts and quoted names
    | --[^\n]* | /\*.*?\*/                              # comments
    | ::                                                # PostgreSQL's cast
    | :(?P<parameter>[A-Za-z_]\w*)
    | (?P<fault>['"`\\] | /\* | \$\w*\$)
    | %
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


@lru_cache(maxsize=500)
def translate(sql: str, *, named: bool) -> tuple[str, frozenset[str]]:
    """Bring ``:name`` into the driver's spelling.

    :param named: whether the driver knows ``:name``; else it gets ``%(name)s``
    :return: the SQL and the names of its parameters
    :raises ValueError: for what the engines read differently: a backslash in a text, or ``$$`` around it
    """
    names: set[str] = set()

    def write(token: re.Match[str]) -> str:
        if token["fault"]:
            raise ValueError(f"Give texts as parameters, here the engines differ: {sql[token.start() :][:40]!r}")
        if token["parameter"]:
            names.add(token["parameter"])
            return f"%({token['parameter']})s"
        return token[0].replace("%", "%%")

    translated = _TOKENS.sub(write, sql)
    return sql if named else translated, frozenset(names)

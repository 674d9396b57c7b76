"""The text of SQLite's CREATE TABLE, in pieces that can be kept word by word, changed, or left out.

What SQLAlchemy reflects of a table is less than what its statement says: collations, conflict clauses, names,
expressions. Only what is asked for is changed here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?xs) (?P<blank> --[^\n]*\n? | /\*.*?\*/ | \s+ )
    | '(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] | [\w$]+ | ."""
)

_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}
_CLAUSES = {*_CONSTRAINTS, "NOT", "NULL", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS"} - {"FOREIGN"}

#: Words that continue a clause: ``NOT NULL``, ``ON DELETE SET NULL``, ``DEFAULT NULL``, ``GENERATED ALWAYS AS``.
_CONTINUES = {"NULL": {"NOT", "SET", "DEFAULT"}, "DEFAULT": {"SET"}, "AS": {"ALWAYS"}}


@dataclass
class Statement:
    """A CREATE TABLE.

    :param elements: the definitions of columns and constraints, each as it was written
    :param options: what follows the parenthesis: ``WITHOUT ROWID``, ``STRICT``
    """

    elements: list[str]
    options: str

    @classmethod
    def parse(cls, text: str) -> "Statement":
        tokens = list(split(text))
        start = tokens.index("(")
        elements: list[list[str]] = [[]]
        depth = 0
        for position, token in enumerate(tokens[start + 1 :], start + 1):
            depth += (token == "(") - (token == ")")
            if depth < 0:
                return cls([_trimmed(element) for element in elements], "".join(tokens[position + 1 :]).strip())
            if token == "," and depth == 0:
                elements.append([])
            else:
                elements[-1].append(token)
        raise ValueError(f"This statement has no end: {text}")

    def compose(self, name: str) -> str:
        """Return the statement that makes such a table under this name, which is quoted."""
        body = ",\n\t".join(self.elements)
        return f"CREATE TABLE {name} (\n\t{body}\n) {self.options}".rstrip()

    @property
    def columns(self) -> list[str]:
        return [plain_name(next(words(element))) for element in self.elements if not is_constraint(element)]

    def position(self, column: str) -> int:
        """Return where the definition of a column stands.

        :raises KeyError: if there is none
        """
        for position, element in enumerate(self.elements):
            if not is_constraint(element) and is_name(next(words(element)), column):
                return position
        raise KeyError(column)

    @property
    def has_rowid(self) -> bool:
        return "ROWID" not in self.options.upper()


@dataclass
class Definition:
    """The definition of one column: ``name type clauses``."""

    name: str
    type: str
    clauses: list[str]

    @classmethod
    def parse(cls, element: str) -> "Definition":
        name, *rest = _joined_blanks(split(element))
        type_: list[str] = []
        clauses: list[list[str]] = []
        depth = 0
        seen = [name]
        for position, token in enumerate(rest):
            following = next((word for word in rest[position + 1 :] if not _is_blank(word)), "")
            if depth == 0 and _begins_clause(token, following, seen, clauses):
                clauses.append([])
            (clauses[-1] if clauses else type_).append(token)
            depth += (token == "(") - (token == ")")
            if not _is_blank(token):
                seen.append(token)
        return cls(name, _trimmed(type_), [_trimmed(clause) for clause in clauses])

    def compose(self) -> str:
        return " ".join(filter(None, [self.name, self.type, *self.clauses]))

    def without(self, *kinds: str) -> "Definition":
        """Return the definition without its clauses of these kinds: ``NOT``, ``DEFAULT`` …"""
        return Definition(self.name, self.type, [clause for clause in self.clauses if kind(clause) not in kinds])

    @property
    def expression(self) -> str | None:
        """The expression of a generated column."""
        found = [clause for clause in self.clauses if kind(clause) in ("GENERATED", "AS")]
        return found[0][found[0].index("(") + 1 : found[0].rindex(")")].strip() if found else None


def _begins_clause(token: str, following: str, seen: list[str], clauses: list[list[str]]) -> bool:
    word = token.upper()
    if word not in _CLAUSES or seen[-1].upper() in _CONTINUES.get(word, ()):
        return False
    if word == "NOT" and following.upper() == "DEFERRABLE":
        return False
    # The clause after `CONSTRAINT name` has this name.
    return not (clauses and _is_only_named([one for one in clauses[-1] if not _is_blank(one)]))


def _is_only_named(tokens: list[str]) -> bool:
    return tokens[0].upper() == "CONSTRAINT" and len(tokens) <= 2


def split(text: str) -> Iterator[str]:
    """Yield all tokens, blanks and comments among them."""
    return (found[0] for found in _TOKEN.finditer(text))


def words(text: str) -> Iterator[str]:
    """Yield the tokens that mean something."""
    return (token for token in split(text) if not _is_blank(token))


def is_constraint(element: str) -> bool:
    """Return whether this is a constraint of the table, not a column."""
    return next(words(element)).upper() in _CONSTRAINTS


def kind(clause: str) -> str:
    """Return the word that a constraint or a clause begins with, after its name."""
    found = [word.upper() for word in words(clause)]
    return found[2] if found[0] == "CONSTRAINT" and len(found) > 2 else found[0]


def constraint_name(clause: str) -> str | None:
    """Return the name that a constraint or a clause has been given."""
    found = list(words(clause))
    return plain_name(found[1]) if found[0].upper() == "CONSTRAINT" else None


def local_columns(constraint: str) -> list[str]:
    """Return the names in the first parentheses of PRIMARY KEY, UNIQUE or FOREIGN KEY."""
    found = list(words(constraint))
    inner = found[found.index("(") + 1 : found.index(")")]
    return [plain_name(word) for before, word in zip(["(", *inner], inner, strict=False) if before in ("(", ",")]


def referred_table(text: str) -> str:
    """Return the name of the table that a foreign key refers to."""
    found = list(words(text))
    return plain_name(found[[word.upper() for word in found].index("REFERENCES") + 1])


def split_arguments(text: str) -> tuple[list[str], str]:
    """Return what stands in the parentheses of a CREATE INDEX, and the condition behind its WHERE."""
    statement = Statement.parse(text)
    return statement.elements, re.sub(r"(?i)^where\s+", "", statement.options)


def without_parentheses(expression: str) -> str:
    """Return an expression without the parentheses that are around all of it."""
    found = list(words(expression))
    depth = 0
    for position, word in enumerate(found):
        depth += (word == "(") - (word == ")")
        if depth == 0 and position < len(found) - 1:
            return expression
    return without_parentheses(" ".join(found[1:-1])) if found[:1] == ["("] else expression


def mentions(text: str, name: str) -> bool:
    """Return whether a name is among the words of an expression."""
    return any(is_name(word, name) for word in words(text))


def is_name(token: str, name: str) -> bool:
    return not token.startswith("'") and plain_name(token).lower() == name.lower()


def plain_name(token: str) -> str:
    """Return a name without its quotes."""
    quote = token[0]
    if quote in "\"'`":
        return token[1:-1].replace(quote * 2, quote)
    return token[1:-1] if quote == "[" else token


def _is_blank(token: str) -> bool:
    found = _TOKEN.match(token)
    return found is not None and found["blank"] is not None


def _joined_blanks(tokens: Iterator[str]) -> list[str]:
    """Return the tokens without those before the first word."""
    found = list(tokens)
    while found and _is_blank(found[0]):
        del found[0]
    return found


def _trimmed(tokens: list[str]) -> str:
    """Return the text of tokens, without what stands around it; a comment that ends with its line keeps that."""
    text = "".join(tokens).strip()
    last = [token for token in tokens if token.strip()][-1:]
    return f"{text}\n" if last and last[0].startswith("--") else text

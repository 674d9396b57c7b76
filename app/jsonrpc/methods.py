"""The methods: the public functions in the ``rpc.py`` of each installed module."""

import inspect
import json
import re
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from core.access import Policy
from core.http.json import dump_bytes

from .errors import CallError
from .signatures import Function
from .signatures import Signature
from .signatures import SignatureError
from .signatures import signature_of


@dataclass(frozen=True)
class Method:
    """One method.

    :param name: ``example.move_stock``
    """

    name: str
    function: Function
    signature: Signature

    def call(self, args: list[Any], kwargs: dict[str, Any]) -> bytes:
        """Call the function and write its result as JSON."""
        result = self.function(*args, **kwargs)
        return dump_bytes(self.signature.result.serialize("", None, lambda *_: result))

    @property
    def policy(self) -> Policy | None:
        """Policy of the method; ``None`` if none is declared."""
        found: Policy | None = getattr(self.function, "policy", None)
        return found

    @cached_property
    def summary(self) -> str:
        """The first sentence of its docstring."""
        return " ".join(self._said.partition("\n\n")[0].split())

    @cached_property
    def description(self) -> str:
        """The docstring after its first line, paragraph by paragraph, without its ``:param:`` lines."""
        return self._said.partition("\n\n")[2].strip()

    @cached_property
    def words(self) -> dict[str, str]:
        """Descriptions from the docstring, of each parameter, and of the result as ``return``."""
        lines = re.findall(r"^:(?:param (\w+)|return):\s*(.+(?:\n\s+.+)*)", self._text, re.M)
        return {name or "return": " ".join(words.split()) for name, words in lines}

    @cached_property
    def problems(self) -> list[tuple[str, str]]:
        """Problems that it may raise, from its docstring: (name of the kind of problem, when)."""
        lines = re.findall(r"^:raises (\w+):\s*(.+(?:\n\s+.+)*)", self._text, re.M)
        # NotFound is not-found: the exceptions of core.exceptions are called after the problems that they are.
        return [(re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower(), " ".join(when.split())) for name, when in lines]

    @cached_property
    def examples(self) -> list[dict[str, Any]]:
        """Params of calls, by name, as its docstring gives them: ``:example: {"sku": "HA-1000"}``."""
        lines = re.findall(r"^:example:\s*(.+(?:\n\s+.+)*)", self._text, re.M)
        return [json.loads(line) for line in lines]

    @property
    def _text(self) -> str:
        return inspect.getdoc(self.function) or ""

    @property
    def _said(self) -> str:
        return re.sub(r"^:\w+.*?:.*(?:\n\s+.+)*\n?", "", self._text, flags=re.M).strip()


def make_method(name: str, function: Function) -> Method:
    """Make a method of a function.

    :raises SignatureError: if a call could not be held against its signature, or an example is none
    """
    method = Method(name, function, signature_of(function))
    try:
        for params in method.examples:
            method.signature.bind(params)
    except (ValueError, CallError) as error:
        why = error.data["errors"] if isinstance(error, CallError) else error
        raise SignatureError(f"An example of the method {name} is no call of it: {why}.") from error
    return method


def collect(files: Iterable[tuple[str, ModuleType]]) -> dict[str, Method]:
    """Make a method of each public function that these files define.

    :param files: (label of the module, its ``rpc.py``)
    """
    named = ((f"{label}.{name}", function) for label, file in files for name, function in _functions(file))
    return {name: make_method(name, function) for name, function in named}


def _functions(file: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in vars(file).items():
        # Not what the file has imported.
        if not name.startswith("_") and inspect.isfunction(value) and value.__module__ == file.__name__:
            yield name, value

"""Parameters of a method: its signature, and the values of one call checked against it."""

import inspect
import typing
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import Parameter as Kind
from typing import Any

from flask_babel import gettext
from marshmallow import ValidationError
from marshmallow import fields

from core.exceptions import unknown_parameters
from core.http.errors import flatten
from core.http.problems import MOST_ERRORS
from core.http.problems import Path
from core.http.problems import field_name
from core.http.problems import pointer

from .annotations import UnknownAnnotationError
from .annotations import field_for
from .errors import INVALID_PARAMS
from .errors import CallError

#: A function that is a method.
Function = Callable[..., Any]


class SignatureError(TypeError):
    """A function cannot be a method; the message says which, why and what to do."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a method.

    :param kind: how Python passes it, a constant of :class:`inspect.Parameter`
    :param default: its value where none is given, unless it is required
    """

    name: str
    annotation: Any
    field: fields.Field[Any]
    kind: Any
    required: bool
    default: Any = None


@dataclass(frozen=True)
class Signature:
    """The parameters of a method, and what it gives.

    :param rest: what ``*args`` takes each of
    """

    parameters: Sequence[Parameter]
    rest: Parameter | None
    annotation: Any
    result: fields.Field[Any]

    def bind(self, params: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of a call.

        :param params: an array, by position, or an object, by name
        :raises CallError: naming every parameter that is missing, unknown or wrong
        """
        binding = _Binding()
        if isinstance(params, dict):
            self._by_name(binding, params)
        else:
            self._by_position(binding, params)
        if binding.errors:
            raise CallError(INVALID_PARAMS, data={"errors": [*_errors(binding.errors)]})
        return binding.args, binding.kwargs

    def _by_name(self, binding: "_Binding", params: Mapping[str, Any]) -> None:
        known = {one.name: one for one in self.parameters if one.kind is not Kind.POSITIONAL_ONLY}
        unknown = [name for name in params if name not in known]
        for name, texts in unknown_parameters(unknown, f"There are {', '.join(known) or 'none'}.").items():
            for text in texts:
                binding.refuse((name,), text)
        for one in self.parameters:
            if one.name in params and one.name in known:
                binding.give(one, params[one.name], one.name)
            else:
                binding.leave_out(one)

    def _by_position(self, binding: "_Binding", params: Sequence[Any]) -> None:
        placed = [one for one in self.parameters if one.kind is not Kind.KEYWORD_ONLY]
        if len(params) > len(placed) and self.rest is None:
            binding.refuse(
                (),
                gettext("At most %(most)s values by position, not %(number)s.", most=len(placed), number=len(params)),
            )
            return
        for place, one in enumerate(self.parameters):
            if one in placed and place < len(params):
                binding.give(one, params[place], place)
            else:
                binding.leave_out(one)
        for place in range(len(placed), len(params)):
            if self.rest is not None:
                binding.give(self.rest, params[place], place)


class _Binding:
    """The arguments of one call, and what is wrong with it, as they are found."""

    def __init__(self) -> None:
        self.args: list[Any] = []
        self.kwargs: dict[str, Any] = {}
        self.errors: list[tuple[Path, str, Path]] = []

    def give(self, parameter: Parameter, value: Any, sent_as: str | int) -> None:
        try:
            self._set(parameter, parameter.field.deserialize(value))
        except ValidationError as error:
            # A list of messages, or of messages by place within the value.
            messages = error.messages if isinstance(error.messages, dict) else {"_schema": error.messages}
            for path, message in flatten(messages):
                self.refuse((parameter.name, *path), message, (sent_as, *path))

    def leave_out(self, parameter: Parameter) -> None:
        if parameter.required:
            self.refuse((parameter.name,), gettext("Missing data for required parameter."), ())
        else:
            self._set(parameter, parameter.default)

    def refuse(self, path: Path, message: str, sent_at: Path | None = None) -> None:
        self.errors.append((path, message, path if sent_at is None else sent_at))

    def _set(self, parameter: Parameter, value: Any) -> None:
        if parameter.kind is Kind.KEYWORD_ONLY:
            self.kwargs[parameter.name] = value
        else:
            self.args.append(value)


def _errors(errors: Sequence[tuple[Path, str, Path]]) -> Iterator[dict[str, str]]:
    for path, message, sent_at in errors[:MOST_ERRORS]:
        yield {"field": field_name(path), "message": message, "pointer": pointer(("params", *sent_at))}
    if len(errors) > MOST_ERRORS:
        yield {"field": "", "message": f"And {len(errors) - MOST_ERRORS} more.", "pointer": pointer(("params",))}


# --- from a function ----------------------------------------------------------------------------


def signature_of(function: Function) -> Signature:
    """Read the signature of a function.

    :raises SignatureError: if a call could not be held against it
    """
    where = f"{function.__module__}.{function.__qualname__}"
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise SignatureError(f"The method {where} must be a plain function: it is asynchronous, or a generator.")
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise SignatureError(f"The method {where} has an annotation that cannot be read: {error}.") from error
    found = [_parameter(where, one, hints) for one in inspect.signature(function).parameters.values()]
    annotation = hints.get("return", Any)
    kind = Any if annotation is type(None) else annotation
    return Signature(
        [one for one in found if one.kind is not Kind.VAR_POSITIONAL],
        next((one for one in found if one.kind is Kind.VAR_POSITIONAL), None),
        annotation,
        _field(where, "its result", kind),
    )


def _parameter(where: str, parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Parameter:
    name, kind = parameter.name, parameter.kind
    if kind is Kind.VAR_KEYWORD:
        raise SignatureError(f"The method {where} takes **{name}: name its parameters, or take a dict.")
    if name not in hints:
        raise SignatureError(f"The method {where} does not say what {name!r} is: annotate it, `{name}: int`.")
    required = parameter.default is Kind.empty and kind is not Kind.VAR_POSITIONAL
    field = _field(where, repr(name), hints[name])
    return Parameter(name, hints[name], field, kind, required, None if required else parameter.default)


def _field(where: str, what: str, annotation: Any) -> fields.Field[Any]:
    try:
        return field_for(annotation)
    except UnknownAnnotationError as error:
        raise SignatureError(f"The method {where} cannot say in JSON what {what} is: {error}.") from error

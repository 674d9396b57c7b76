"""Contracts: an endpoint's inputs and outputs, declared once above its view: checked, and documented.

.. code-block:: python

    @bp.post("/orders")
    @contract(body=OrderSchema, answer=ReceiptSchema, status=201, problems=("in-use",))
    def order(body):
        '''Order something.'''
        return {"number": shop.order(body)}

The view gets the loaded ``query`` and ``body`` by these names, and gives what JSON shows, or a response.
What it gives is not dumped by ``answer``, which would cost what hand-written SQL has saved: the tests of
the whole (schemathesis) hold each answer to its schema.
"""

import functools
import inspect
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from flask import Response
from flask_babel import gettext
from marshmallow import Schema
from marshmallow import ValidationError

from ..exceptions import BadQuery
from ..exceptions import Invalid
from ..exceptions import unknown_parameters
from ..fields.strict import as_json
from ..http.headers import data_is_kept
from ..http.links import single_args
from ..http.problems import KINDS
from .bodies import JSON
from .bodies import check_acceptable
from .bodies import empty_response
from .bodies import json_response
from .bodies import read_json
from .bodies import read_object
from .limits import charge

#: A view, by whatever arguments.
View = Callable[..., Any]


@dataclass(frozen=True)
class Contract:
    """Contract of one endpoint.

    :param query: the parameters of the query string; without it there are none
    :param body: what the body is
    :param batch: so many bodies at most may come at once, as an array; the view then always gets a list. Each
        counts in the endpoint's limit
    :param media: content types of the body
    :param answer: what a successful answer is; ``None`` if it has no body
    :param status: of a successful answer
    :param problems: further kinds of problem it may answer with, by name (:mod:`core.http.problems`)
    :param examples: name to an example of the body
    """

    query: Schema | None = None
    body: Schema | None = None
    batch: int | None = None
    media: Sequence[str] = (JSON,)
    answer: Schema | None = None
    status: int = 200
    problems: Sequence[str] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)


def contract(
    *,
    query: type[Schema] | None = None,
    body: type[Schema] | None = None,
    answer: type[Schema] | None = None,
    status: int | None = None,
    **options: Any,
) -> Callable[[View], View]:
    """Hold a view to a contract; the parameters are those of :class:`Contract`, with classes of schemas.

    It stands below the route. The contract is the view's attribute ``contract``. Without a status, it
    is 200, or 204 where there is no answer.

    :raises TypeError: if the contract cannot be kept
    """
    terms = Contract(
        query=query() if query else None,
        body=body() if body else None,
        answer=answer() if answer else None,
        status=status or (200 if answer else 204),
        **options,
    )

    def decorate(view: View) -> View:
        _check_terms(terms, view)

        @functools.wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Response:
            check_acceptable()
            response = _respond(terms, view(*args, **kwargs, **_read(terms)))
            # As lists and items have it: caches that several people share keep none.
            response.headers.setdefault("Cache-Control", data_is_kept())
            return response

        checked.contract = terms  # type: ignore[attr-defined]  # a mark
        return checked

    return decorate


def _check_terms(terms: Contract, view: View) -> None:
    """Say at start what would else be found out by a caller."""
    where = f"The contract of {view.__module__}.{view.__qualname__}"
    taken = inspect.signature(view).parameters
    for name in ("query", "body"):
        if getattr(terms, name) is not None and name not in taken:
            raise TypeError(f"{where} has a {name}: the view must take it by this name.")
    if terms.batch is not None and (terms.body is None or terms.batch < 1):
        raise TypeError(f"{where} has a batch of {terms.batch}: give it a body, and a batch of 1 or more.")
    unknown = [name for name in terms.problems if name not in KINDS]
    if unknown:
        raise TypeError(
            f"{where} names the problem {unknown[0]!r}: core/http/problems.py has {', '.join(map(str, KINDS))}."
        )


def _read(terms: Contract) -> dict[str, Any]:
    found = {}
    query = read_query(terms.query)
    if terms.query is not None:
        found["query"] = query
    if terms.body is not None:
        found["body"] = read_body(terms)
    return found


def read_query(schema: Schema | None) -> dict[str, Any]:
    """Read the query string, where everything is text.

    :raises BadQuery: naming every parameter that is unknown, missing or malformed
    """
    given = single_args()
    fields = {} if schema is None else {field.data_key or name: field for name, field in schema.load_fields.items()}
    errors: dict[str, list[str]] = {}
    unknown = [name for name in given if name not in fields]
    if unknown:
        errors = unknown_parameters(
            unknown, gettext("There are %(names)s.", names=", ".join(fields)) if fields else gettext("There are none.")
        )
    values: dict[str, Any] = {}
    try:
        if schema is not None:
            values = schema.load({name: as_json(fields[name], text) for name, text in given.items() if name in fields})
    except ValidationError as error:
        messages: dict[str, Any] = error.normalized_messages()
        errors |= {"" if name == "_schema" else name: list(map(str, texts)) for name, texts in messages.items()}
    if errors:
        raise BadQuery(errors)
    return values


def read_body(terms: Contract) -> Any:
    """Read the body, or the list of bodies where the contract takes a batch.

    :raises Invalid: if it has another shape; a field that is wrong raises marshmallow's ValidationError
    """
    schema: Any = terms.body
    if terms.batch is None:
        return schema.load(read_object(terms.media))
    body = read_json(terms.media)
    if isinstance(body, dict):
        return [schema.load(body)]
    if not isinstance(body, list) or not 1 <= len(body) <= terms.batch:
        raise Invalid(
            {"": [gettext("The body must be a JSON object, or an array of 1 to %(batch)s of them.", batch=terms.batch)]}
        )
    charge(len(body))
    return schema.load(body, many=True)


def _respond(terms: Contract, found: Any) -> Response:
    if isinstance(found, Response):
        return found
    return empty_response(terms.status) if terms.answer is None else json_response(found, terms.status)

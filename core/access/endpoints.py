"""Access to endpoints: ``policy``, declared above a view, in a resource, or for a blueprint.

``@access(permission("shop.order.edit"))`` above a view, ``restrict(blueprint, SIGNED_IN)``, or the attribute
``policy`` of a plain resource. Those of a model's resource and of its pages follow from the verbs' own
``access``, method by method. It is checked before the body is read; a refusal is answered with 401 or 403.

An endpoint without a policy is public, as in Flask, and :func:`undeclared` names it.
"""

import functools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask import current_app
from flask import request
from flask.blueprints import Blueprint

from ..declarations import Declaration
from ..declarations import View
from ..declarations import declare
from ..declarations import declared
from ..declarations import declared_for
from ..declarations import declaring
from ..modules import ModuleError
from ..platform import platform_of
from .checks import allowed
from .checks import require
from .policies import PUBLIC
from .policies import Policy

#: The policy of each method; ``None`` where none is declared.
ByMethod = Mapping[str, Policy | None]

#: Preflight requests of browsers, and questions for the methods.
ALWAYS_OPEN = {"OPTIONS"}


@dataclass(frozen=True)
class Guarded:
    """Something that can be asked, and who may.

    :param place: what it is called in the code: an endpoint, or a method of JSON-RPC
    :param verb: a method of HTTP; ``call``
    :param address: the path of its URL
    :param policy: ``None`` if none is declared
    """

    place: str
    verb: str
    address: str
    policy: Policy | None

    @property
    def reason(self) -> str:
        """Short description for people."""
        return "undeclared" if self.policy is None else self.policy.reason


#: Gives what can be asked besides endpoints.
Source = Callable[[], Iterable[Guarded]]


def access(policy: Policy | ByMethod) -> Callable[[View], View]:
    """Return a decorator that lets only some people ask a view, or call a method of JSON-RPC."""
    return declaring("policy", policy)


def restrict(blueprint: Blueprint, policy: Policy) -> None:
    """Let only some people ask the endpoints of a blueprint, those excepted that declare a policy of their own."""
    declare(blueprint, "policy", policy)


def also(app: Flask, source: Source) -> None:
    """Let the lists of what can be asked show what is no endpoint: methods that share one address."""
    platform_of(app).policy_sources.append(source)


def guard(app: Flask) -> None:
    """Make the views that are not public check their policy.

    :raises ModuleError: if what is declared is no policy
    """
    found = {endpoint: _by_method(app, endpoint, one) for endpoint, one in declared(app, "policy")}
    platform_of(app).policies = found
    for endpoint, policies in found.items():
        if any(policy is not None and policy is not PUBLIC for policy in policies.values()):
            app.view_functions[endpoint] = _guarded(app, endpoint, policies)


def find(app: Flask, endpoint: str, method: str) -> Policy | None:
    """Return who may ask an endpoint by a method; ``None`` if that is not declared."""
    if _is_static(endpoint):
        return PUBLIC
    policies: ByMethod = platform_of(app).policies.get(endpoint, {})
    return policies.get("GET" if method == "HEAD" else method, policies.get("*"))


def may_open(endpoint: str) -> bool:
    """Return whether the current identity may open a page; for links to it."""
    policy = find(current_app, endpoint, "GET")
    return policy is None or allowed(policy)


def everything(app: Flask) -> list[Guarded]:
    """Return all that can be asked, by its address."""
    found = [one for rule in app.url_map.iter_rules() for one in _of_rule(app, rule)]
    found += [one for source in platform_of(app).policy_sources for one in source()]
    return sorted(found, key=lambda one: (one.address, one.place, one.verb))


def undeclared(app: Flask) -> list[str]:
    """Return the places of what is open to everyone without a declared policy."""
    return sorted({one.place for one in everything(app) if one.policy is None})


# --- at start -----------------------------------------------------------------------------------


def _by_method(app: Flask, endpoint: str, declaration: Declaration) -> ByMethod:
    """Return the policy of each method; what a face leaves open, the blueprint may have said."""
    value = declaration.value
    if isinstance(value, Policy):
        return {"*": value}
    if not isinstance(value, Mapping) or not all(one is None or isinstance(one, Policy) for one in value.values()):
        raise ModuleError(
            f"The policy of {endpoint!r} is {value!r}: give PUBLIC, SIGNED_IN or permission(…) of core.access."
        )
    around = declared_for(app, endpoint.rpartition(".")[0], "policy")
    rest = around.value if around is not None else None
    return {"*": rest} | {method: rest if policy is None else policy for method, policy in value.items()}


def _guarded(app: Flask, endpoint: str, policies: ByMethod) -> Callable[..., Any]:
    view = app.ensure_sync(app.view_functions[endpoint])
    rest = policies.get("*")

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        method = request.method
        if method not in ALWAYS_OPEN:
            policy = policies.get("GET" if method == "HEAD" else method, rest)
            if policy is not None:
                require(policy)
        return view(*args, **kwargs)

    return guarded


def _of_rule(app: Flask, rule: Any) -> Iterator[Guarded]:
    if rule.endpoint not in app.view_functions:
        return
    for method in sorted((rule.methods or set()) - ALWAYS_OPEN - {"HEAD"}):
        yield Guarded(rule.endpoint, method, rule.rule, find(app, rule.endpoint, method))


def _is_static(endpoint: str) -> bool:
    return endpoint.rpartition(".")[2] == "static"

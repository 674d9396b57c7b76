"""Collect the methods as soon as all modules are there: what cannot be called is said at start."""

from collections.abc import Iterator
from collections.abc import Mapping

from flask import Flask

from core.access import endpoints
from core.access.endpoints import Guarded
from core.api.limits import charge
from core.modules import ModuleError
from core.modules import offers
from core.resources import registered
from core.signals import app_ready

from . import bp
from .calls import Dispatcher
from .documents import discover
from .documents import index
from .methods import Method
from .methods import collect
from .methods import make_method
from .resources import methods_of
from .signatures import SignatureError
from .transactions import admit
from .transactions import batch_seconds
from .transactions import run

#: Names that no module may have: their methods are the platform's, or the specification's (section 4).
TAKEN = ("App", "rpc")


@app_ready.connect
def collect_methods(app: Flask) -> None:
    """Make the dispatcher of an application that has this module.

    :raises ModuleError: if a function cannot be a method
    """
    if app.blueprints.get(bp.name) is not bp:
        return
    files = [(module.label, file) for module, file in offers(app, "rpc")]
    taken = [label for label, _ in files if label in TAKEN]
    if taken:
        raise ModuleError(f"A module with methods cannot have the label {taken[0]!r}: rename its package.")
    own = {"App.index": make_method("App.index", index), "rpc.discover": make_method("rpc.discover", discover)}
    try:
        methods = own | methods_of(registered(app)) | collect(files)
    except SignatureError as error:
        raise ModuleError(str(error)) from error
    app.extensions["jsonrpc"] = Dispatcher(
        dict(sorted(methods.items())), run, admit, count=charge, seconds=batch_seconds
    )
    endpoints.also(app, lambda: guarded(methods))


def guarded(methods: Mapping[str, Method]) -> Iterator[Guarded]:
    """Yield each method with who may call it."""
    for name, method in methods.items():
        yield Guarded(name, "call", "/rpc", method.policy)

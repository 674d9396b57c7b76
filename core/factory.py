"""Make the application: configuration, services, errors, modules, and nothing else."""

import gc
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any
from typing import NoReturn

from flask import Flask
from flask import Response
from flask import after_this_request
from flask import has_request_context
from flask import request
from flask.globals import request_ctx
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import NotFound
from werkzeug.routing import RequestRedirect

import config as deployment
import services
import settings

from . import cli
from . import keys
from . import modules
from . import signals
from .access import endpoints
from .api import cors
from .api import deprecation
from .api import limits
from .crud import readers
from .data import deadlines
from .data import engines
from .data import execution
from .data import writability
from .fields import relations
from .http import apis
from .http import errors
from .http import form_check
from .http import headers
from .http import hosts
from .http import maintenance
from .http import prefix
from .http import proxies
from .http import redirects
from .http import shadows
from .http.json import StrictJSONProvider
from .http.problems import KINDS
from .http.problems import Problem
from .http.request import Request
from .http.request import check_environ
from .http.sessions import SessionInterface
from .logs import request_ids
from .pages import layout
from .pages import menu
from .pages import model_pages
from .serving import development
from .serving import paths


class Application(Flask):
    """Flask with our request, our JSON, and the headers that every answer carries."""

    request_class = Request
    json_provider_class = StrictJSONProvider
    session_interface = SessionInterface()

    def wsgi_app(self, environ: dict[str, Any], start_response: headers.StartResponse) -> Any:
        """Answer a request, with all headers that an answer must have."""
        hosts.trust(self, environ)
        return super().wsgi_app(environ, headers.completing(self, environ, start_response))

    def url_for(self, /, endpoint: str, **values: Any) -> str:
        """Write a URL; an absolute one begins as the configuration says, not as the visitor asked."""
        if has_request_context() and values.get("_external") and not values.get("_scheme"):
            return hosts.origin() + super().url_for(endpoint, **values | {"_external": False})
        return super().url_for(endpoint, **values)

    def raise_routing_exception(self, request: Request) -> NoReturn:  # type: ignore[override]
        """Refuse what is at no address, or redirect to another one on this host."""
        error, adapter = request.routing_exception, request_ctx.url_adapter
        if isinstance(error, NotFound | RequestRedirect) and adapter is not None:
            raise redirects.mend(error, self, adapter, request)
        super().raise_routing_exception(request)

    def make_default_options_response(self) -> Response:
        """Say which methods there are, by an answer without a body and so without a content type."""
        response = super().make_default_options_response()
        del response.headers["Content-Type"]
        return response

    def process_response(self, response: Response) -> Response:
        """Run what follows the view; a COMMIT that fails there is answered like one in the view."""
        try:
            return super().process_response(response)
        except SQLAlchemyError as error:
            failed = errors.answer_database(error)
            request_ctx._after_request_functions.clear()
            return super().process_response(failed)

    def handle_exception(self, e: Exception) -> Response:
        """Answer programs with a problem document in development too, where people get the debugger."""
        if not self.debug or not errors.wants_problem():
            return super().handle_exception(e)
        self.logger.error("Exception on %s", request.path, exc_info=e)
        return self.finalize_request(errors.answer(Problem(KINDS["internal"], repr(e))), from_error_handler=True)

    def log_exception(self, exc_info: Any) -> None:
        """Log what nobody foresaw, as Flask does, but without the secret that a link has in its path."""
        path = paths.without_secrets(request)
        self.logger.error("Exception on %s [%s]", path, request.method, exc_info=exc_info)

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """Let browsers keep for a year what is asked for by its fingerprint; see :mod:`core.pages.layout`."""
        if "v" not in request.args:
            return super().get_send_file_max_age(filename)
        after_this_request(headers.never_changes)
        return 31_536_000


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Pause the garbage collector: nothing made at start is freed, and scanning it takes a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_garbage_collection_paused()
def create_app(config: Mapping[str, Any] | None = None, installed_apps: Sequence[str] | None = None) -> Flask:
    """Make an application of the installed modules.

    :param config: what ``app.config`` is to hold, beside the defaults of the modules' keys; by default what the
        environment says
    :param installed_apps: dotted names of modules; by default those of ``settings.py``
    :raises config.ConfigError: if the environment does not describe a deployment that can run
    :raises core.modules.ModuleError: if a module cannot be used
    """
    app = Application("app")
    loaded = _load_modules(settings.INSTALLED_APPS if installed_apps is None else installed_apps, config)
    app.config.from_mapping(keys.load(loaded) if config is None else keys.complete(loaded, config))
    proxies.init_app(app)
    prefix.init_app(app)
    paths.init_app(app)
    app.before_request(check_environ)
    request_ids.init_app(app)
    services.init_app(app)
    engines.init_app(app)
    form_check.init_app(app)
    deadlines.init_app(app)
    writability.init_app(app)
    execution.init_app(app)
    apis.init_app(app)
    errors.init_app(app)
    endpoints.init_app(app)
    layout.init_app(app)
    model_pages.init_app(app)
    relations.choose_by(app, readers.rows)
    if app.config["APP_ENV"] == "development":
        development.init_app(app)
    modules.register(app, loaded)
    apis.adopt_plain_apis(app)
    endpoints.guard(app)
    limits.init_app(app)
    deprecation.init_app(app)
    cors.init_app(app)
    headers.init_app(app)
    hosts.init_app(app)
    maintenance.init_app(app)
    menu.init_app(app)
    cli.init_app(app)
    signals.app_ready.send(app)
    endpoints.warn(app)
    if app.config["APP_ENV"] == "development":
        development.warn(app)
    shadows.warn(app)
    if config is None:
        keys.warn(app, loaded)
    return app


def _load_modules(names: Sequence[str], config: Mapping[str, Any] | None) -> list[modules.Module]:
    """Import the modules; where one cannot be used, tell also what is wrong with the environment."""
    try:
        return modules.load(names)
    except modules.ModuleError as error:
        try:
            deployment.load() if config is None else None
        except deployment.ConfigError as also:
            raise deployment.ConfigError([*also.faults, str(error)]) from error
        raise

"""The application's class: Flask with our request, our JSON, and the headers that every answer carries."""

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

from . import errors
from . import headers
from . import hosts
from . import paths
from . import redirects
from .json import StrictJSONProvider
from .problems import KINDS
from .problems import Problem
from .request import Request
from .sessions import SessionInterface


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

    def raise_routing_exception(self, request: Request) -> NoReturn:  # type: ignore[override]  # it is our class
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
        """Log an unhandled exception, as Flask does, but without the secret that a link has in its path."""
        path = paths.without_secrets(request)
        self.logger.error("Exception on %s [%s]", path, request.method, exc_info=exc_info)

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """Let browsers keep for a year what is asked for by its fingerprint; see :mod:`core.pages.layout`."""
        if "v" not in request.args:
            return super().get_send_file_max_age(filename)
        after_this_request(headers.never_changes)
        return 31_536_000

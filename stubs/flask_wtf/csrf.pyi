from typing import TypeVar

from flask import Blueprint
from flask import Flask
from werkzeug.exceptions import BadRequest

_View = TypeVar("_View")

class CSRFError(BadRequest): ...

class CSRFProtect:
    # Read by core.http.apis: there is no public way to ask what is exempt.
    _exempt_blueprints: set[Blueprint]
    _exempt_views: set[str]
    def init_app(self, app: Flask) -> None: ...
    def protect(self, apply_exemptions: bool = False) -> None: ...
    def exempt(self, view: _View) -> _View: ...

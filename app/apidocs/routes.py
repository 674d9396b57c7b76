"""The page on which the document is read and tried."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import flask_swagger_ui
from flask import Response
from flask import render_template
from flask import send_from_directory
from flask import url_for

from . import bp
from . import documents
from .api import built

SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"
SWAGGER_UI_VERSION = version("flask-swagger-ui")


@bp.get("/docs")
def index() -> str:
    """Show the document, to read and to try."""
    sources = {
        "style": url_for(".swagger_ui", filename="swagger-ui.css", v=SWAGGER_UI_VERSION),
        "script": url_for(".swagger_ui", filename="swagger-ui-bundle.js", v=SWAGGER_UI_VERSION),
    }
    return render_template("apidocs/index.html", groups=groups(built()), sources=sources)


@bp.get("/docs/swagger-ui/<path:filename>")
def swagger_ui(filename: str) -> Response:
    """Give a file of Swagger UI, as its package brings it."""
    return send_from_directory(SWAGGER_UI, filename)


def groups(document: documents.Document) -> list[dict[str, Any]]:
    """Return the operations by their tags, for a page that needs no script."""
    found = {tag["name"]: {**tag, "operations": []} for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            line = {"method": method.upper(), "path": path, **operation}
            found[operation["tags"][0]]["operations"].append(line)
    return list(found.values())

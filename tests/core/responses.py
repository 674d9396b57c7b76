"""A module whose pages ask for more than others: inline scripts, pictures from elsewhere, headers of their own."""

from typing import Any

from flask import Blueprint
from flask import Flask
from flask import Response
from flask import redirect
from flask import render_template_string
from flask import request
from flask import session
from flask import url_for

from app.uploads import check_upload
from app.uploads import send_upload
from core.factory import create_app
from core.http.headers import csp
from core.http.headers import forget_pages
from services import csrf

bp = Blueprint("responses", __name__, url_prefix="/responses")

PAGE = '<!doctype html><html lang=en><title>Responses</title><link rel=icon href="data:,"><p>{{ request.path }}</p>'


@bp.get("/page")
def page() -> str:
    return render_template_string(PAGE)


@bp.get("/slash/")
def slash() -> str:
    return render_template_string(PAGE)


@bp.get("/away")
def away() -> Any:
    return redirect("/responses/page")


@bp.get("/remembers")
def remembers() -> str:
    session["seen"] = True
    return render_template_string(PAGE)


@bp.get("/inline")
def inline() -> str:
    return render_template_string(
        PAGE + '<script nonce="{{ csp_nonce() }}">document.title = "ran"</script>'
        '<style nonce="{{ csp_nonce() }}">p { color: rgb(1, 2, 3) }</style>'
    )


@bp.get("/smuggled")
def smuggled() -> str:
    return render_template_string(PAGE + '<script>document.title = "ran"</script><b onclick="1">x</b>')


@bp.get("/map")
@csp(img_src="https://tiles.example.org data:", frame_src="https://player.example.org/embed/")
def tiles() -> str:
    return render_template_string(PAGE + "{% if request.args.get('nonce') %}{{ csp_nonce() }}{% endif %}")


@bp.get("/public")
def public() -> Response:
    return Response(PAGE, headers={"Cache-Control": "public, max-age=60"}, mimetype="text/html")


@bp.get("/own")
def own() -> Response:
    headers = {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Frame-Options": "SAMEORIGIN",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": "Accept, cookie",
    }
    return Response(PAGE, headers=headers, mimetype="text/html")


@bp.get("/signed-out")
def signed_out() -> Response:
    return forget_pages(Response(PAGE, mimetype="text/html"))


@bp.get("/broken")
def broken() -> str:
    raise RuntimeError("the pane is broken")


@bp.get("/words")
def words() -> Response:
    return Response("words", mimetype="text/plain")


@bp.get("/echo")
def echo() -> dict[str, Any]:
    return {
        "caller": request.remote_addr,
        "url": url_for(".echo", _external=True),
        "root": request.script_root,
        "secure": request.is_secure,
    }


@csrf.exempt
@bp.post("/photos")
def photos() -> Response:
    return send_upload(check_upload(request.files["photo"], ["image/png", "text/plain"], max_bytes=1000))


@csrf.exempt
@bp.post("/fields")
def fields() -> dict[str, int]:
    return {"fields": len(request.form), "files": len(request.files)}


@bp.post("/form")
def form() -> str:
    return "sent"


def make() -> Flask:
    """Return an application of this module alone, for servers."""
    return create_app(installed_apps=[__name__])

"""The request as our views see it: text that is text, JSON that is JSON, bodies that end."""

import re
from collections.abc import Callable
from typing import IO
from typing import Any
from urllib.parse import unquote_to_bytes

import flask
from flask_babel import format_decimal
from flask_babel import gettext
from gunicorn.http.errors import NoMoreData
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import LengthRequired
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.http import parse_date

#: Parameters of one query string. Parsing costs more than sending: a megabyte of ``&a=1`` takes a quarter of a second.
MOST_PARAMETERS = 1000

_BEYOND_ASCII_OR_NUL = re.compile(r"[\x00\x80-\xff]")


class Request(flask.Request):
    """Flask's request, refusing with 400 or 415 what it would replace, drop or fail on."""

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Say what is wrong with the body, in production too: it is the caller's own text."""
        if e is None:
            raise UnsupportedMediaType(gettext("The body must be JSON: send it as application/json."))
        raise BadRequest(gettext("The body is not valid JSON: %(e)s.", e=e))

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:
        """Read the body; one that breaks off or is wrongly chunked is the caller's fault."""
        data: bytes = _read(super().get_data, cache, False, parse_form_data)
        limit = self.max_content_length
        if limit is not None and len(data) >= limit and self.content_length != len(data):
            # Where no length was announced, werkzeug 3.1 stops at the limit and gives what it has.
            raise RequestEntityTooLarge
        return data.decode(errors="replace") if as_text else data

    def _get_file_stream(self, *args: Any, **kwargs: Any) -> IO[bytes]:
        stream = super()._get_file_stream(*args, **kwargs)
        self._file_streams.append(stream)
        return stream

    def _load_form_data(self) -> None:
        if "form" in vars(self):
            return
        if self.mimetype == "application/x-www-form-urlencoded":
            # Werkzeug would leave bytes that are not UTF-8 as escapes, and drop a form that has them bare.
            body = self.get_data()
            _check_utf8("body", unquote_to_bytes(body))
            # Werkzeug counts the parts of multipart forms only.
            if self.max_form_parts is not None and body.count(b"&") >= self.max_form_parts:
                raise RequestEntityTooLarge(
                    gettext(
                        "The form has more than %(max_form_parts)s fields.",
                        max_form_parts=format_decimal(self.max_form_parts),
                    )
                )
        self._file_streams: list[IO[bytes]] = []
        try:
            _read(super()._load_form_data)
        except HTTPException:
            # Werkzeug closes the files of a form that it has read to its end, and of no other.
            for stream in self._file_streams:
                stream.close()
            raise
        if None in self.form or None in self.files:
            # werkzeug gives the parts without a name under None, on which others fail.
            raise BadRequest(gettext("A part of the form has no name."))
        # Of the parts of a multipart form it makes U+FFFD, which no sender means.
        if self.mimetype == "multipart/form-data" and any("\ufffd" in text for _, text in self.form.items(multi=True)):
            raise BadRequest(gettext("The body is not valid UTF-8."))


def _read(read: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    # gunicorn raises its own errors while the body is read; werkzeug's server an OSError.
    try:
        return read(*args, **kwargs)
    except (ParseException, NoMoreData, OSError) as error:
        raise BadRequest(gettext("The body is incomplete or wrongly encoded.")) from error


def init_app(app: flask.Flask) -> None:
    """Check every request before anything else looks at it."""
    app.before_request(check_environ)


def check_environ() -> None:
    """Deal with what werkzeug would misread or fail on, before anything else looks at the request."""
    environ = flask.request.environ
    refuse_broken_text(environ)
    ignore_broken_dates(environ)
    distrust_end_of_body(environ)


def refuse_broken_text(environ: dict[str, Any]) -> None:
    """Answer 400 where werkzeug would silently put U+FFFD for bytes that are not UTF-8.

    NUL is refused as well: PostgreSQL stores none, and no path, query or form means one.
    """
    query = environ.get("QUERY_STRING", "")
    if query.count("&") >= MOST_PARAMETERS:
        raise BadRequest(
            gettext(
                "The query string has more than %(most_parameters)s parameters.",
                most_parameters=format_decimal(MOST_PARAMETERS),
            )
        )
    if "%" in query or _BEYOND_ASCII_OR_NUL.search(query):
        _check("query string", unquote_to_bytes(query.encode("latin-1")))
    path = environ.get("PATH_INFO", "")
    if _BEYOND_ASCII_OR_NUL.search(path):
        _check("path", path.encode("latin-1"))
    cookies = environ.get("HTTP_COOKIE", "")
    if _BEYOND_ASCII_OR_NUL.search(cookies):
        _check("Cookie header", cookies.encode("latin-1"))


def distrust_end_of_body(environ: dict[str, Any]) -> None:
    """Have werkzeug hold a body to the length that was announced: one that broke off is not taken for whole.

    gunicorn 27 gives what has come of it, Granian 2.8 nothing; both say that this is all of it. Of a chunked body
    gunicorn knows the end, Granian does not: a proxy that reads bodies first, as nginx does, always says their length.
    """
    if "HTTP_TRANSFER_ENCODING" in environ:
        if environ.get("SERVER_SOFTWARE") == "Granian":
            raise LengthRequired(
                gettext("This server cannot see whether a chunked body is whole: send its Content-Length.")
            )
    elif environ.get("CONTENT_LENGTH"):
        environ.pop("wsgi.input_terminated", None)


def ignore_broken_dates(environ: dict[str, Any]) -> None:
    """Take a date beyond any calendar for none (RFC 9110, sections 13.1.3 to 13.1.5).

    Werkzeug 3.1 ignores what is no date, but fails on a year of ten digits.
    """
    for name in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE"):
        if name in environ:
            try:
                parse_date(environ[name])
            except OverflowError:
                # Not removed: without If-Range a range would be given that was not to be.
                environ[name] = ""


def _check_utf8(place: str, text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise BadRequest(gettext("The %(place)s is not valid UTF-8.", place=place)) from None


def _check(place: str, text: bytes) -> None:
    _check_utf8(place, text)
    if b"\0" in text:
        raise BadRequest(gettext("The %(place)s has a NUL character.", place=place))

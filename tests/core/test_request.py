from collections.abc import Callable

import pytest
from flask import Flask
from flask import request
from flask.testing import FlaskClient
from gunicorn.http.errors import InvalidChunkSize
from gunicorn.http.errors import NoMoreData

from services import csrf


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    app = make_app(None, [], MAX_CONTENT_LENGTH=1000)

    @app.route("/echo/", defaults={"rest": ""}, methods=["GET", "POST"])
    @app.route("/echo/<path:rest>", methods=["GET", "POST"])
    @csrf.exempt
    def echo(rest: str) -> dict[str, object]:
        body = request.form.to_dict() if request.args.get("form") else request.get_data(as_text=True)
        return {"path": rest, "args": request.args.to_dict(), "body": body}

    return app.test_client()


@pytest.mark.parametrize("query", ["q=%ff", "%ff=1", "q=\xff", "q=%00", "a=1&b=%c0%80", "q=%ed%a0%80", "q=\0"])
def test_query_that_is_no_text(client: FlaskClient, query: str) -> None:
    answer = client.get("/echo/", environ_overrides={"QUERY_STRING": query})
    assert answer.status_code == 400
    assert "query string" in answer.text


@pytest.mark.parametrize(
    ("query", "text"),
    [("q=%C3%BC", "ü"), ("q=%F0%9F%98%80", "😀"), ("q=a+b", "a b"), ("q=100%", "100%"), ("q=%zz", "%zz")],
)
def test_query_that_is_text(client: FlaskClient, query: str, text: str) -> None:
    assert client.get("/echo/", environ_overrides={"QUERY_STRING": query}).json["args"] == {"q": text}


@pytest.mark.parametrize("path", ["/echo/\xff", "/echo/a\0b", "/\xc0\x80", "/echo/\xed\xa0\x80"])
def test_path_that_is_no_text(client: FlaskClient, path: str) -> None:
    answer = client.get("/", environ_overrides={"PATH_INFO": path})
    assert answer.status_code == 400
    assert "path" in answer.text


def test_path_beyond_ascii(client: FlaskClient) -> None:
    assert client.get("/echo/ü/😀").json["path"] == "ü/😀"


@pytest.mark.parametrize("cookie", ["a=\xff", "a=b\0"])
def test_cookie_that_is_no_text(client: FlaskClient, cookie: str) -> None:
    plain = client.application.test_client(use_cookies=False)
    assert plain.get("/echo/", environ_overrides={"HTTP_COOKIE": cookie}).status_code == 400
    assert plain.get("/echo/", environ_overrides={"HTTP_COOKIE": "a=\xc3\xbc"}).status_code == 200


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since", "If-Range"])
@pytest.mark.parametrize("date", ["Thu, 01 Jan 99999999999 00:00:00 GMT", "Thu, 01 Jan 2020 99999999999:00:00 GMT"])
def test_date_out_of_range_no_condition(app: Flask, name: str, date: str) -> None:
    client = app.test_client()
    answer = client.get("/static/site.css", headers={name: date, "Range": "bytes=0-1"})
    answer.close()
    # A range that was asked for under a condition is not given where the condition cannot be met.
    assert answer.status_code == (200 if name == "If-Range" else 206)
    both = {name: date, "If-None-Match": answer.headers["ETag"]}
    with client.get("/static/site.css", headers=both) as again:
        assert again.status_code == 304


class Broken:
    """A body that fails while it is read, as gunicorn's do."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, size: int = -1) -> bytes:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [InvalidChunkSize(b"zz"), NoMoreData(b"half"), OSError("reset"), ConnectionResetError()],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("", "text/plain"),
        ("form=1", "application/x-www-form-urlencoded"),
        ("form=1", "multipart/form-data; boundary=x"),
    ],
)
def test_body_that_breaks_off(client: FlaskClient, error: Exception, query: str, kind: str) -> None:
    environ = {"wsgi.input": Broken(error), "wsgi.input_terminated": True, "CONTENT_TYPE": kind}
    assert client.post("/echo/", query_string=query, environ_overrides=environ).status_code == 400


@pytest.mark.parametrize("rest", ["", '; filename="a.txt"', "; nome=a"])
def test_unnamed_form_part(client: FlaskClient, rest: str) -> None:
    part = f"--x\r\nContent-Disposition: form-data{rest}\r\n\r\n1\r\n--x--\r\n"
    answer = client.post("/echo/?form=1", data=part, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 400
    assert "no name" in answer.text


def test_body_shorter_than_announced(client: FlaskClient) -> None:
    assert client.post("/echo/", data="half", environ_overrides={"CONTENT_LENGTH": "50"}).status_code == 400


@pytest.mark.parametrize("query", ["", "form=1"])
@pytest.mark.parametrize("has_come", ["", "a=1"])
def test_body_wrongly_declared_complete(client: FlaskClient, query: str, has_come: str) -> None:
    kind = "application/x-www-form-urlencoded"
    environ = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "5", "CONTENT_TYPE": kind}
    cut = client.post("/echo/", query_string=query, data=has_come, environ_overrides=environ)
    assert cut.status_code == 400
    whole = client.post("/echo/", query_string=query, data="a=123", environ_overrides=environ)
    assert whole.json["body"] in ("a=123", {"a": "123"})


def test_chunked_body_without_known_end(client: FlaskClient) -> None:
    environ = {"SERVER_SOFTWARE": "Granian", "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    environ["CONTENT_LENGTH"] = ""
    assert client.post("/echo/", data="", environ_overrides=environ).status_code == 411


def test_unknown_length_body_limited(client: FlaskClient) -> None:
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert client.post("/echo/", data="x" * 999, environ_overrides=environ).json["body"] == "x" * 999
    assert client.post("/echo/", data="x" * 1001, environ_overrides=environ).status_code == 413


def test_body_up_to_limit_read(client: FlaskClient) -> None:
    assert client.post("/echo/", data="x" * 1000).json["body"] == "x" * 1000
    assert client.post("/echo/", data="x" * 1001).status_code == 413


def test_form_body_too_large(client: FlaskClient) -> None:
    assert client.post("/echo/?form=1", data={"a": "x" * 1000}).status_code == 413

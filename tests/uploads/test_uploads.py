"""Files that people send: what they contain decides, and they come back as files."""

import io
import struct
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage

from app.uploads import KINDS
from app.uploads import SANDBOX
from app.uploads import Upload
from app.uploads import UploadOf
from app.uploads import check_upload
from app.uploads import safe_name
from core.exceptions import Invalid
from tests.core import responses

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + bytes(17)
SAMPLES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(20) + b"\xff\xd9",
    "image/gif": b"GIF89a\x01\x00\x01\x00" + bytes(20) + b";",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(20),
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\n%%EOF\n",
    "application/json": b'{"a": [1, "\xc3\xbc"]}',
    "text/csv": "Größe;Preis\r\n1;2\r\n".encode(),
    "text/plain": b"a < b, and b > c\n",
}
HOSTILE = {
    "page": b"<!doctype html><script>alert(1)</script>",
    "page, later": b"\xef\xbb\xbf \r\n\t<ScRiPt>alert(1)</script>",
    "comment": b"<!-- x --><b onclick=alert(1)>",
    "picture with scripts": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "xml": b'<?xml version="1.0"?><x/>',
    "program": b"MZ\x90\x00" + bytes(60) + b"PE\0\0",
    "executable": b"\x7fELF\x02\x01\x01" + bytes(60),
    "archive": b"PK\x03\x04" + bytes(30),
    "no text": b"\xff\xfe\x00a",
    "nul": b"a\0b",
    "escape": b"a\x1b[2Jb",
    "page that ends as a picture": b"<html></html>\x89PNG\r\n\x1a\n",
    "nothing known": bytes(range(128, 228)),
}


def file(content: bytes, name: str = "x") -> FileStorage:
    return FileStorage(io.BytesIO(content), filename=name, name="photo", content_type="image/png")


@pytest.mark.parametrize("kind", KINDS)
def test_file_kind_from_content(kind: str) -> None:
    upload = check_upload(file(SAMPLES[kind], "../any.exe"), [kind], max_bytes=1000)
    assert upload == Upload(f"any_exe{KINDS[kind][0]}", kind, SAMPLES[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_other_kind_refused_despite_name(kind: str) -> None:
    texts = {"text/csv", "text/plain", "application/json"}
    for other, content in SAMPLES.items():
        if other != kind and not {kind, other} <= texts:
            with pytest.raises(Invalid, match="none of"):
                check_upload(file(content, f"x{KINDS[kind][0]}"), [kind], max_bytes=1000)


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_executable_content_has_no_kind(content: bytes) -> None:
    with pytest.raises(Invalid, match="photo: The file's content is none of"):
        check_upload(file(content, "x.png"), KINDS, max_bytes=1000)


@pytest.mark.parametrize(("content", "fault"), [(b"", "empty"), (b"x" * 11, "larger than 10 bytes")])
def test_file_has_a_size(content: bytes, fault: str) -> None:
    assert check_upload(file(b"x" * 10), ["text/plain"], max_bytes=10).content == b"x" * 10
    with pytest.raises(Invalid, match=fault):
        check_upload(file(content), ["text/plain"], max_bytes=10)


def test_undetectable_kind_fails_at_start() -> None:
    with pytest.raises(ValueError, match=r"image/svg\+xml.*image/png"):
        check_upload(file(PNG), ["image/svg+xml"], max_bytes=1000)


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("holiday.png", "holiday.png"),
        ("Holiday photo (1).PNG", "Holiday_photo_1.png"),
        ("Größe 上海.png", "Größe_上海.png"),
        ("../../etc/passwd", "passwd.png"),
        ("C:\\Windows\\system.ini", "system_ini.png"),
        ("x.php", "x_php.png"),
        ("x.php.png", "x_php.png"),
        ("x.png.html", "x_png_html.png"),
        (".htaccess", "htaccess.png"),
        ("a\r\nSet-Cookie: b=c.png", "a_Set-Cookie_b_c.png"),
        ('a"; filename="b.html', "a_filename_b_html.png"),
        ("con.png", "file.png"),
        ("LPT1", "file.png"),
        ("", "file.png"),
        ("..", "file.png"),
        ("-rf.png", "rf.png"),
        ("\u202egnp.exe", "gnp_exe.png"),
        ("x" * 300 + ".png", "x" * 60 + ".png"),
    ],
)
def test_file_name_made_safe(name: str, safe: str) -> None:
    assert safe_name(name, "image/png") == safe


@given(st.text(max_size=80), st.sampled_from(sorted(KINDS)))
def test_safe_name_for_any_input(name: str, kind: str) -> None:
    safe = safe_name(name, kind)
    stem, _, ending = safe.rpartition(".")
    assert f".{ending}" in KINDS[kind]
    assert stem
    assert all(one in "_-" or unicodedata.category(one)[0] in "LN" for one in stem), stem
    assert len(safe.encode()) <= 255
    assert safe_name(safe, kind) == safe


# --- over HTTP ----------------------------------------------------------------------------------


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    return make_app(None, [responses.__name__]).test_client()


def test_file_downloaded_not_shown(client: FlaskClient) -> None:
    answer = client.post("/responses/photos", data={"photo": (io.BytesIO(PNG), "page.html", "text/html")})
    assert (answer.status_code, answer.data, answer.mimetype) == (200, PNG, "image/png")
    assert answer.headers["Content-Disposition"] == "attachment; filename=page_html.png"
    assert answer.headers["Content-Security-Policy"] == SANDBOX
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_refused_file_reported_at_field(client: FlaskClient) -> None:
    data = {"photo": (io.BytesIO(HOSTILE["page"]), "photo.png", "image/png")}
    answer = client.post("/responses/photos", data=data, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "photo")


class PhotoForm(FlaskForm):
    photo = FileField("Photo", [UploadOf("image/png", max_bytes=1000)])


@pytest.mark.parametrize(
    ("content", "errors"),
    [(PNG, []), (HOSTILE["page"], ["The file's content is none of image/png."]), (None, [])],
)
def test_form_restricts_file_kind(client: FlaskClient, content: bytes | None, errors: list[str]) -> None:
    data: dict[str, Any] = {"photo": (io.BytesIO(content), "a.png")} if content else {}
    with client.application.test_request_context(method="POST", data=data):
        form = PhotoForm(meta={"csrf": False})
        assert (form.validate(), list(form.photo.errors)) == (not errors, errors)
        if content == PNG:
            assert form.photo.data == Upload("a.png", "image/png", PNG)


# --- how much -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "status"), [(1000, 200), (1001, 413)])
def test_form_has_a_number_of_fields(client: FlaskClient, count: int, status: int) -> None:
    data = "&".join(f"a{number}=" for number in range(count))
    answer = client.post("/responses/fields", data=data, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == status


@pytest.mark.parametrize("kind", ["file", "field"])
@pytest.mark.parametrize(("count", "status"), [(10, 200), (11, 413)])
def test_multipart_parts_limited(client: FlaskClient, kind: str, count: int, status: int) -> None:
    client.application.config["MAX_FORM_PARTS"] = 10
    name = '; filename="x"' if kind == "file" else ""
    parts = [f'--x\r\nContent-Disposition: form-data; name="a{one}"{name}\r\n\r\nx\r\n' for one in range(count)]
    answer = client.post(
        "/responses/fields", data="".join(parts) + "--x--\r\n", content_type="multipart/form-data; boundary=x"
    )
    assert answer.status_code == status


@pytest.mark.parametrize(("count", "status"), [(1000, 200), (1001, 400)])
def test_query_parameters_limited(client: FlaskClient, count: int, status: int) -> None:
    answer = client.get("/responses/page", query_string="&".join(["a=1"] * count))
    assert answer.status_code == status

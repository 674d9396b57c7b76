"""The language of an answer: chosen by a person, by the cookie, by ``Accept-Language``, in this order."""

import pytest

from core.http.languages import choose_language
from core.http.languages import choose_time_zone
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.forms import open_form
from tests.forms import submit


@pytest.fixture
def client(sqlite_client):
    return sqlite_client


def lang_of(answer):
    return answer.text.partition('<html lang="')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.5", "es"),
        ("ru-RU", "ru"),
        ("de, ru;q=0.3", "ru"),
        ("de", "en"),
        ("", "en"),
        (";;q=x,\x7f", "en"),
        ("es;q=0", "en"),
        ("*", "en"),
    ],
)
def test_page_has_accepted_language(client, accepted, language):
    assert lang_of(client.get("/", headers={"Accept-Language": accepted})) == language


def test_cookie_precedes_header(client):
    client.set_cookie("language", "ru")
    assert lang_of(client.get("/", headers={"Accept-Language": "es"})) == "ru"


@pytest.mark.parametrize("value", ["xx", "../es", "es_ES", "", "e" * 3000])
def test_unknown_cookie_is_ignored(client, value):
    client.set_cookie("language", value)
    answer = client.get("/", headers={"Accept-Language": "es"})
    assert (answer.status_code, lang_of(answer)) == (200, "es")


@pytest.mark.parametrize(
    ("zone", "chosen"), [("Europe/Madrid", "Europe/Madrid"), ("Nowhere/Else", None), ("../../etc/passwd", None)]
)
def test_time_zone_is_a_known_one(sqlite_app, zone, chosen):
    with sqlite_app.test_request_context("/", headers={"Cookie": f"timezone={zone}"}):
        assert choose_time_zone() == chosen


def test_api_has_only_the_header(sqlite_app):
    headers = {"Accept-Language": "es", "Cookie": "language=ru; timezone=Europe/Madrid"}
    with sqlite_app.test_request_context("/problems-of-an-api", headers=headers):
        assert (choose_language(), choose_time_zone()) == ("ru", "Europe/Madrid")
    with sqlite_app.test_request_context("/rpc", method="POST", headers=headers):
        assert (choose_language(), choose_time_zone()) == ("es", None)


def test_choice_is_kept_in_cookies(client):
    answer = submit(client, "/language?next=/accounts/sign-in", language="es", time_zone="Europe/Madrid")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/accounts/sign-in")
    assert lang_of(client.get("/", headers={"Accept-Language": "ru"})) == "es"
    assert open_form(client, "/language")["time_zone"] == "Europe/Madrid"
    submit(client, "/language", language="", time_zone="")
    assert lang_of(client.get("/", headers={"Accept-Language": "ru"})) == "ru"


@pytest.mark.parametrize("url", ["//example.org", "https://example.org", "/\\example.org", "javascript:alert(1)"])
def test_way_back_stays_on_the_site(client, url):
    assert submit(client, "/language", next=url).headers["Location"] == "/"


@pytest.mark.parametrize("field", ["language", "time_zone"])
def test_unknown_choice_is_refused(client, field):
    answer = submit(client, "/language", **{field: "xx"})
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (422, [])


def test_choice_needs_form_token(client):
    assert client.post("/language", data={"language": "es"}).status_code == 400


def test_user_keeps_choice_in_other_browsers(app):
    make_user(app)
    first, second = app.test_client(), app.test_client()
    sign_in(first)
    sign_in(second)
    submit(first, "/language", language="es", time_zone="America/Bogota")
    # Their own choice precedes the cookie of this browser.
    second.set_cookie("language", "ru")
    assert lang_of(second.get("/accounts/")) == "es"
    assert open_form(second, "/language")["time_zone"] == "America/Bogota"

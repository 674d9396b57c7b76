"""The language of an answer: chosen by a person, by the cookie, by ``Accept-Language``, in this order."""

from datetime import UTC
from datetime import datetime
from decimal import Decimal

import pytest
from flask_babel import gettext
from flask_wtf import FlaskForm

from core.forms.inputs import MomentField
from core.http.languages import choose_language
from core.http.languages import choose_time_zone
from core.http.languages import moments
from core.pages.display import show
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.accounts.users import text
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


# --- the answers --------------------------------------------------------------------------------

API = {"Accept": "application/json"}


@pytest.mark.parametrize(
    ("accepted", "title"),
    [("es", "No encontrado"), ("ru", "Не найдено"), ("en", "Not found"), ("de", "Not found")],
)
def test_problem_is_in_language_asked_for(client, accepted, title):
    answer = client.get("/no-such-page", headers={**API, "Accept-Language": accepted})
    assert (answer.json["type"], answer.json["title"]) == ("/problems/not-found", title)
    assert answer.headers["Content-Language"] == (accepted if accepted != "de" else "en")
    assert "Accept-Language" in answer.headers["Vary"]


def test_page_varies_by_language(client):
    assert ", ".join(client.get("/").headers.getlist("Vary")) == "Cookie, Accept-Language"


def test_page_of_a_module_is_translated(make_app):
    client = make_app(None, ["app.home", "app.languages"]).test_client()
    assert "Módulos instalados" in client.get("/", headers={"Accept-Language": "es"}).text
    assert "Установленные модули" in client.get("/", headers={"Accept-Language": "ru"}).text


def test_applications_have_own_catalogues(make_app):
    """Translations of one application are not those of another in the same process."""
    first = make_app(None, ["app.home"])
    second = make_app(None, ["app.home", "app.languages"])
    page = second.test_client().get("/language", headers={"Accept-Language": "es"})
    assert "Idioma y zona horaria" in page.text
    with first.test_request_context("/", headers={"Accept-Language": "es"}):
        assert gettext("Language and time zone") == "Language and time zone"


def test_times_shown_in_zone_of_reader(sqlite_app):
    with sqlite_app.test_request_context("/", headers={"Cookie": "timezone=Europe/Madrid"}):
        shown = show(datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    assert str(shown) == (
        '<time datetime="2026-07-01T22:30:00+00:00" title="2026-07-01T22:30:00+00:00">2026-07-02 00:30 CEST</time>'
    )


@pytest.mark.parametrize(("language", "shown"), [("en", "1234.50"), ("es", "1234,50"), ("ru", "1234,50")])
def test_decimals_keep_their_digits(sqlite_app, language, shown):
    with sqlite_app.test_request_context("/", headers={"Accept-Language": language}):
        assert show(Decimal("1234.50")) == shown


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-07-01T12:00", [datetime(2026, 7, 1, 10, tzinfo=UTC)]),
        # Clocks go from 2:00 to 3:00, and from 3:00 to 2:00.
        ("2026-03-29T02:30", []),
        ("2026-10-25T02:30", [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]),
    ],
)
def test_moments_of_a_clock(sqlite_app, local, expected):
    with sqlite_app.test_request_context("/", headers={"Cookie": "timezone=Europe/Madrid"}):
        assert moments(datetime.fromisoformat(local)) == expected


class Form(FlaskForm):
    """A form with a moment."""

    class Meta:
        csrf = False

    when = MomentField("When")


@pytest.mark.parametrize(
    ("typed", "stored", "saved"),
    [
        ("2026-07-01T12:00", None, datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ("2026-10-25T02:30", None, None),
        ("2026-10-25T02:30+0200", None, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-03-29T02:30", None, None),
        # An untouched time stays as it is stored.
        ("2026-10-25T02:30", datetime(2026, 10, 25, 1, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_form_reads_times_of_the_reader(sqlite_app, typed, stored, saved):
    cookie = {"Cookie": "timezone=Europe/Madrid"}
    with sqlite_app.test_request_context("/", method="POST", data={"when": typed}, headers=cookie):
        form = Form(data={"when": stored})
        assert (form.validate(), form.when.data) == (saved is not None, saved)
        # An offset cannot be written in a control for times.
        assert ('type="text"' in form.when()) is (saved is None)


def test_mail_has_language_of_request(sqlite_app):
    make_user(sqlite_app)
    client = sqlite_app.test_client()
    client.set_cookie("language", "es")
    submit(client, "/accounts/reset", email="ada@example.org")
    (mail,) = mails(sqlite_app)
    assert mail["Subject"] == "Elija una nueva contraseña"
    assert text(mail).startswith("Hola:\n\nElija una nueva contraseña para su cuenta")


def test_headers_stay_in_english(sqlite_client):
    headers = {"Accept-Language": "ru", "Authorization": "Bearer andamio_unknown"}
    answer = sqlite_client.post("/rpc", json={"jsonrpc": "2.0", "id": 1, "method": "App.index"}, headers=headers)
    assert answer.status_code == 401
    assert 'error_description="This is not a token of this site' in answer.headers["WWW-Authenticate"]
    assert answer.json["detail"] == "Это не токен этого сайта: скопируйте его целиком."

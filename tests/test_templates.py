"""The layout, its error page and its macros, without a module, a database or a URL adapter."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import wtforms
from flask import Flask
from flask import flash
from flask import render_template
from flask import render_template_string
from flask_babel import Babel
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from wtforms.validators import InputRequired
from wtforms.validators import Length
from wtforms.validators import NumberRange
from wtforms.widgets import CheckboxInput
from wtforms.widgets import ListWidget

from core.http.problems import KINDS
from core.http.problems import Kind


class Address(wtforms.Form):
    city = wtforms.StringField("City", [InputRequired()])


class Everything(wtforms.Form):
    version = wtforms.HiddenField(default="3")
    name = wtforms.StringField("Name", [InputRequired(), Length(max=80)], description="As on the <invoice>.")
    notes = wtforms.TextAreaField("Notes", render_kw={"class": "tall", "rows": 9})
    price = wtforms.DecimalField("Price", [NumberRange(min=0)], widget=wtforms.widgets.NumberInput(step="0.01"))
    kind = wtforms.SelectField("Kind", choices=[wtforms.SelectChoice("a", "A")])
    live = wtforms.BooleanField("Live", description="Seen by all.")
    size = wtforms.RadioField("Size", [InputRequired()], choices=[wtforms.SelectChoice("s", "Small")])
    tags = wtforms.SelectMultipleField(
        "Tags",
        choices=[wtforms.SelectChoice("t", "T")],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    when = wtforms.DateTimeLocalField("When")
    picture = wtforms.FileField("Picture")
    level = wtforms.IntegerRangeField("Level")
    fixed = wtforms.StringField("Fixed", render_kw={"readonly": True})
    address = wtforms.FormField(Address, "Address")
    lines = wtforms.FieldList(wtforms.StringField("Line", [InputRequired()]), "Lines", min_entries=1)


@pytest.fixture
def app() -> Iterator[Flask]:
    app = Flask("app")
    app.secret_key = "of no importance"
    Babel(app)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True  # as core.pages.layout does
    app.jinja_env.globals.update(
        site_name="Site",
        menu=lambda: [SimpleNamespace(label="A & B", url="/ab", active=True)],
        header_templates=list,
        footer_templates=list,
        language=lambda: "en",
        notices=list,
        static_url=lambda name: f"/static/{name}?v=1",
        bootstrap_css_url=lambda: "/bootstrap.css",
        request_id=lambda: "0123456789abcdef",
    )
    with app.test_request_context("/ab"):
        yield app


def page(source: str, **context: Any) -> str:
    return render_template_string("{% extends 'base.html' %}" + source, **context)


def macro(name: str, call: str, **context: Any) -> str:
    return render_template_string(f"{{% import 'crud/{name}.html' as m %}}{{{{ m.{call} }}}}", **context)


def invalid() -> Everything:
    form = Everything(MultiDict({"price": "-1", "lines-0": "", "kind": "a"}))
    assert not form.validate()
    return form


def test_page_has_title_landmarks_heading(app: Flask) -> None:
    html = page("{% block title %}A <b>{% endblock %}{% block content %}text{% endblock %}")
    assert html.startswith("<!doctype html>")
    assert "<title>A <b> · Site</title>" in html
    assert [html.count(tag) for tag in ("<header", "<nav", "<main", "<footer", "<h1>")] == [1, 1, 1, 1, 1]
    assert '<a href="/ab" aria-current="page">A &amp; B</a>' in html
    assert "Breadcrumb" not in html
    assert "page-actions" not in html


def test_heading_blocks_shown_when_filled(app: Flask) -> None:
    html = page(
        "{% block breadcrumbs %}<li>up</li>{% endblock %}{% block actions %}<a>new</a>{% endblock %}"
        "{% block lead %}first{% endblock %}"
    )
    assert '<ol class="breadcrumb"><li>up</li></ol>' in html
    assert '<div class="page-actions"><a>new</a></div>' in html
    assert '<p class="lead">first</p>' in html


def test_page_without_menu_has_no_navigation(app: Flask) -> None:
    app.jinja_env.globals["menu"] = list
    html = page("")
    assert "<nav" not in html
    assert "Menu" not in html


@pytest.mark.parametrize(
    ("category", "look", "role"),
    [
        ("success", "success", "status"),
        ("info", "info", "status"),
        ("message", "info", "status"),
        ("warning", "warning", "alert"),
        ("error", "danger", "alert"),
    ],
)
def test_flashed_message_shown_by_category(app: Flask, category: str, look: str, role: str) -> None:
    flash("<b>", category)
    html = page("")
    assert f'<div class="alert alert-{look}" role="{role}">' in html
    assert "<div>&lt;b&gt;</div>" in html


def test_error_page_needs_no_url_adapter(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    # As when the host is not trusted: nothing can be looked up then.
    monkeypatch.setitem(app.jinja_env.globals, "url_for", None)
    html = render_template("error.html", kind=KINDS["invalid"], detail="See.", errors={"a.0": ["No <b>."], "": ["x"]})
    assert "Error 422" in html
    assert "<dt>a.0</dt>" in html
    assert "<dd>No &lt;b&gt;.</dd>" in html
    assert "named in <code>errors</code>." in html
    assert "<code>0123456789abcdef</code>" in html
    assert html.count("<h1>") == 1


def test_error_page_says_nothing_twice(app: Flask) -> None:
    kind = Kind(None, 418, "I'm a teapot", "")
    html = render_template("error.html", kind=kind, detail=kind.title, errors={})
    assert html.count(str(Markup.escape(kind.title))) == 2  # the window's title and the h1
    kind = KINDS["internal"]
    assert render_template("error.html", kind=kind, detail=kind.hint, errors={}).count(str(kind.hint)) == 1


@pytest.mark.parametrize("name", KINDS)
def test_problem_kinds_have_page(app: Flask, name: str) -> None:
    html = render_template("problem.html", kind=KINDS[name])
    assert f"<code>/problems/{name}</code>" in html
    assert "`" not in html


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name", '<label class="form-label" for="name">Name</label>'),
        ("name", 'aria-describedby="name-help" class="form-control" id="name" maxlength="80" name="name" required'),
        ("name", '<div class="form-text" id="name-help">As on the &lt;invoice&gt;.</div>'),
        ("notes", '<textarea class="form-control tall" id="notes" name="notes" rows="9">'),
        ("notes", 'Notes <span class="optional">(optional)</span>'),
        ("price", 'class="form-control" id="price" min="0" name="price" step="0.01" type="number"'),
        ("kind", '<select class="form-select"'),
        ("live", '<input aria-describedby="live-help" class="form-check-input" id="live"'),
        ("live", '<label class="form-check-label" for="live">Live</label>'),
        ("size", '<legend class="form-label">Size</legend>'),
        ("size", '<label class="form-check-label" for="size-0">Small</label>'),
        ("tags", 'class="form-check-input" id="tags-0" name="tags" type="checkbox"'),
        ("when", 'class="form-control" id="when" name="when" type="datetime-local"'),
        ("picture", 'class="form-control" id="picture" name="picture" type="file"'),
        ("level", '<input class="form-range"'),
        ("fixed", '<label class="form-label" for="fixed">Fixed</label>'),
        ("address", 'id="address-city"'),
        ("lines", 'id="lines-0"'),
    ],
)
def test_field_has_label_and_control(app: Flask, name: str, expected: str) -> None:
    assert expected in macro("_field", "field(f)", f=Everything()[name])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name", 'aria-describedby="name-help name-error" aria-invalid="true" class="form-control is-invalid"'),
        ("name", '<div class="field-errors" id="name-error">'),
        ("price", 'aria-describedby="price-error"'),
        ("size", '<fieldset class="field" id="size" aria-describedby="size-error">'),
        ("address", 'aria-describedby="address-city-error"'),
        ("lines", 'aria-describedby="lines-0-error"'),
    ],
)
def test_field_names_its_errors(app: Flask, name: str, expected: str) -> None:
    assert expected in macro("_field", "field(f)", f=invalid()[name])


def test_summary_links_errors_to_controls(app: Flask) -> None:
    html = macro("_field", "summary(form)", form=invalid())
    for target in ("name", "price", "size-0", "address-city", "lines-0"):
        assert f'<a href="#{target}">' in html
    assert 'role="alert" tabindex="-1"' in html


def test_summary_shows_form_and_hidden_errors(app: Flask) -> None:
    form = invalid()
    form.form_errors.append("They do not <fit>.")
    form.version.errors = ["Too old."]
    html = macro("_field", "summary(form)", form=form)
    assert "<li>They do not &lt;fit&gt;.</li>" in html
    assert "<li>Too old.</li>" in html


def test_summary_without_errors_empty(app: Flask) -> None:
    assert macro("_field", "summary(form)", form=Everything()).strip() == ""


def test_hidden_fields_stand_apart(app: Flask) -> None:
    hidden, shown = (
        macro("_field", "hidden(form)", form=Everything()),
        macro("_field", "fields(form)", form=Everything()),
    )
    assert hidden.strip() == '<input id="version" name="version" type="hidden" value="3">'
    assert "version" not in shown


def test_enctype_set_for_file_field(app: Flask) -> None:
    assert macro("_field", "enctype(form)", form=Everything()).strip() == 'enctype="multipart/form-data"'
    assert macro("_field", "enctype(form)", form=Address()).strip() == ""


def test_pagination_shows_the_ways_there_are(app: Flask) -> None:
    pages = SimpleNamespace(
        previous="?p=1",
        next=None,
        current=2,
        total=2,
        total_text="21 products",
        numbers=[(1, "?p=1"), None, (2, "?p=2")],
    )
    html = macro("_pagination", "page_links(p)", p=pages)
    assert '<nav class="pages" aria-label="Pages">' in html
    assert 'href="?p=1" rel="prev" aria-label="Previous page"' in html
    assert 'aria-current="page" aria-label="Page 2">2</a>' in html
    assert "No next page" in html
    assert "21 products" in html


def test_single_page_pagination_shows_total(app: Flask) -> None:
    pages = SimpleNamespace(
        previous=None,
        next=None,
        current=1,
        total=1,
        total_text="3 products",
        numbers=[(1, "?p=1")],
    )
    html = macro("_pagination", "page_links(p)", p=pages)
    assert "3 products" in html
    assert "<ul" not in html

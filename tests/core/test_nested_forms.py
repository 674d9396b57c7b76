"""Forms within forms that a module writes out: lists of them, one alone, and lists of simple fields."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from services import db
from tests import forms

MODELS = """
    from sqlalchemy import ForeignKey, String
    from sqlalchemy.orm import Mapped, mapped_column, relationship

    from services import db

    class Invoice(db.Model):
        __tablename__ = "bills_invoice"

        id: Mapped[int] = mapped_column(primary_key=True)
        customer: Mapped[str] = mapped_column(String(80))
        street: Mapped[str | None] = mapped_column(String(80))
        words: Mapped[str | None] = mapped_column(String(80))
        lines: Mapped[list["Line"]] = relationship(cascade="all, delete-orphan", order_by="Line.id")

        def __str__(self):
            return self.customer

    class Line(db.Model):
        __tablename__ = "bills_line"

        id: Mapped[int] = mapped_column(primary_key=True)
        invoice_id: Mapped[int] = mapped_column(ForeignKey("bills_invoice.id"))
        text: Mapped[str] = mapped_column(String(20))
        quantity: Mapped[int] = mapped_column(info={"min": 1})

        def __str__(self):
            return self.text
"""

INIT = """
    import wtforms
    from flask import Blueprint

    from core.crud import Crud
    from core.exceptions import Invalid
    from core.forms import model_form
    from core.pages import Pages
    from .models import Invoice, Line

    bp = Blueprint("bills", __name__)

    class Address(wtforms.Form):
        street = wtforms.StringField("Street", [wtforms.validators.InputRequired()])

    class InvoiceForm(model_form(Invoice, only=("customer",))):
        lines = wtforms.FieldList(wtforms.FormField(model_form(Line, exclude=("invoice_id",))), "Lines", min_entries=1)
        address = wtforms.FormField(Address, "Address")
        words = wtforms.FieldList(wtforms.StringField("Word"), "Words", min_entries=2)

    class Invoices(Crud):
        model = Invoice

        def create(self, data):
            return super().create(self._rows(data))

        def update(self, item, data, version=None):
            return super().update(item, self._rows(data), version)

        def _rows(self, data):
            if any(line["text"] == "bad" for line in data["lines"]):
                raise Invalid({"lines.0.text": ["This is bad."], "address.street": ["Too far."], "words": ["Few."]})
            lines = [Line(**line) for line in data["lines"]]
            return {
                "customer": data["customer"],
                "street": data["address"]["street"],
                "words": " ".join(data["words"]),
                "lines": lines,
            }

    class InvoicePages(Pages):
        verbs = Invoices()
        form = InvoiceForm
        columns = ("customer",)
        details = ("customer", "street", "words")

    InvoicePages.register(bp, "/invoices")
"""

NEW = "/invoices/new"


@pytest.fixture
def client(
    make_app: Callable[..., Flask], write_module: Callable[..., str], new_database: Callable[[str], URL]
) -> FlaskClient:
    """Return a client of a site of invoices."""
    app = make_app(new_database("sqlite"), [write_module("bills", init=INIT, models=MODELS)])
    with app.app_context():
        db.metadata.create_all(db.engine, [table for table in db.metadata.sorted_tables if "bills" in table.name])
    return app.test_client()


def filled(client: FlaskClient, **changes: Any) -> forms.Fields:
    fields = forms.open_form(client, NEW)
    entered = {
        "customer": "Ada",
        "lines-0-text": "Pen",
        "lines-0-quantity": "3",
        "address-street": "Elm",
        "words-0": "a",
    }
    return {**fields, **entered, **changes}


def stored(client: FlaskClient) -> tuple[Any, ...]:
    models = client.application.view_functions["bills.invoice_list"].__self__.verbs.model
    with client.application.app_context():
        (row,) = db.session.query(models)
        return row.customer, row.street, row.words, [(line.text, line.quantity) for line in row.lines]


def test_nested_fields_reach_the_verb(client: FlaskClient) -> None:
    answer = client.post(NEW, data=filled(client))
    assert answer.status_code == 303, answer.text
    assert stored(client) == ("Ada", "Elm", "a ", [("Pen", 3)])


def test_added_entries_are_taken(client: FlaskClient) -> None:
    token = filled(client)["lines-0-csrf_token"]
    second = {"lines-7-text": "Ink", "lines-7-quantity": "1", "lines-7-csrf_token": token, "words-5": "b"}
    assert client.post(NEW, data=filled(client, **second)).status_code == 303
    assert stored(client) == ("Ada", "Elm", "a  b", [("Pen", 3), ("Ink", 1)])


def test_nested_errors_stand_at_their_place(client: FlaskClient) -> None:
    answer = client.post(NEW, data=filled(client, **{"lines-0-quantity": "0", "address-street": ""}))
    assert answer.status_code == 422
    assert re.findall(r'class="field-errors" id="([^"]*)-error"', answer.text) == ["lines-0-quantity", "address-street"]


def test_nested_errors_stand_at_fields(client: FlaskClient) -> None:
    answer = client.post(NEW, data=filled(client, **{"lines-0-text": "bad"}))
    assert answer.status_code == 422
    assert 'id="lines-0-text-error"' in answer.text
    assert 'id="address-street-error"' in answer.text
    assert "Few." in answer.text


@pytest.mark.parametrize(
    "name",
    ["lines-0-price", "lines-x-text", "lines-0", "lines", "address-city", "address", "words-0-text", "lines--1-text"],
)
def test_unknown_nested_name_is_refused(client: FlaskClient, name: str) -> None:
    answer = client.post(NEW, data=filled(client, **{name: "1"}))
    assert answer.status_code == 400
    assert f"The form has no field {name}." in answer.text


def test_nested_field_sent_twice_is_refused(client: FlaskClient) -> None:
    answer = client.post(NEW, data=filled(client, **{"lines-0-text": ["Pen", "Ink"]}))
    assert answer.status_code == 400
    assert "lines-0-text more than once" in answer.text


def test_nested_form_is_edited(client: FlaskClient) -> None:
    client.post(NEW, data=filled(client))
    fields = forms.open_form(client, "/invoices/1/edit")
    assert fields["lines-0-text"] == "Pen"
    changes = {"lines-0-quantity": "4", "address-street": "Oak"}
    assert client.post("/invoices/1/edit", data={**fields, **changes}).status_code == 303
    assert stored(client)[3] == [("Pen", 4)]

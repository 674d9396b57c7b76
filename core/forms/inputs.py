"""The form fields and validators that WTForms and WTForms-SQLAlchemy lack."""

import json
import uuid
from datetime import UTC
from datetime import datetime
from typing import Any

import marshmallow
import sqlalchemy as sa
from flask_babel import gettext
from flask_babel import to_user_timezone
from marshmallow import validate
from wtforms import Field
from wtforms import fields
from wtforms import validators
from wtforms.widgets import TextInput

from ..fields import schemas
from ..fields.strict import from_text
from ..fields.words import escaped_json
from ..http.json import load_strictly
from ..http.languages import moments

#: Digits that a number may have before or after its point.
MOST_DIGITS = 40


class FitsColumn:
    """Checks a value by the rules of its column, the same as in the schema."""

    def __init__(self, column: sa.Column[Any]) -> None:
        self.rule = schemas.Converter().column2field(column)
        self.field_flags = _flags(self.rule)

    def __call__(self, form: Any, field: Field) -> None:
        if field.process_errors or getattr(field, "rule", None) is not None:
            # The field has said already that this is no value of its kind, or has read it by the rule.
            return
        text = field.raw_data[0].strip() if field.raw_data else ""
        try:
            if isinstance(field, fields.DecimalField | fields.IntegerField):
                from_text(self.rule, text)
            elif isinstance(field, fields.FloatField):
                _check_digits(text)
                self.rule.deserialize(field.data)
            elif isinstance(field, fields.DateTimeLocalField | fields.DateField | fields.TimeField):
                _check_digits(text)
                self.rule.deserialize(field.data and field.data.isoformat())
            elif isinstance(field, fields.StringField):
                self.rule.deserialize(field.data)
        except marshmallow.ValidationError as error:
            raise validators.ValidationError(" ".join(map(str, error.messages))) from None


def _check_digits(text: str) -> None:
    # Python reads the digits of any script, and 1_000 as a number.
    if not text.isascii() or "_" in text:
        raise marshmallow.ValidationError(gettext("Not a valid value."))


class Required(validators.InputRequired):
    """Wants an answer, and more than white space."""

    def __call__(self, form: Any, field: Field) -> None:
        if not field.raw_data or not str(field.raw_data[0]).strip():
            # That nothing is no number either need not be said.
            field.errors = []
            raise validators.StopValidation(gettext("This field is required."))


class JSONField(fields.TextAreaField):
    """A JSON value, written as text.

    :param rule: the field in JSON that reads and writes the value; without it, any value is taken
    """

    def __init__(self, *args: Any, rule: marshmallow.fields.Field[Any] | None = None, **kwargs: Any) -> None:
        self.rule = rule
        super().__init__(*args, **kwargs)

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        if self.data is None:
            return ""
        value = self.data if self.rule is None else _written(self.rule, self.data)
        return escaped_json(json.dumps(value, indent=2 if self.rule is None else None, ensure_ascii=False))

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the text.

        :raises ValueError: if it is no JSON, or if the rule refuses it
        """
        self.data = None
        if valuelist and valuelist[0].strip():
            try:
                value = load_strictly(valuelist[0])
            except ValueError as error:
                raise ValueError(gettext("Not valid JSON: %(error)s.", error=error)) from error
            self.data = value if self.rule is None or value is None else _read(self.rule, value)


class RuledField(fields.StringField):
    """A value of any kind as its field in JSON reads and writes it: ``P1DT2H``, ``192.0.2.1``.

    :param rule: the field
    """

    def __init__(self, *args: Any, rule: marshmallow.fields.Field[Any], **kwargs: Any) -> None:
        self.rule = rule
        super().__init__(*args, **kwargs)

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return str(_written(self.rule, self.data) or "")

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the text.

        :raises ValueError: if the field refuses it
        """
        text = valuelist[0].strip() if valuelist else ""
        self.data = _read(self.rule, text) if text else None


def _written(rule: marshmallow.fields.Field[Any], value: Any) -> Any:
    # Of an object, as marshmallow has no other way in.
    return rule.serialize("value", {"value": value})


def _read(rule: marshmallow.fields.Field[Any], value: Any) -> Any:
    try:
        return rule.deserialize(value)
    except marshmallow.ValidationError as error:
        raise ValueError(" ".join(map(str, error.messages))) from None


class ExactField(fields.DecimalField):
    """A decimal, shown with all its digits and without an exponent."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the number.

        :raises ValueError: also for NaN, Infinity and far exponents: they would be shown before they are checked
        """
        super().process_formdata(valuelist)
        if self.data is not None and (not self.data.is_finite() or abs(self.data.adjusted()) > MOST_DIGITS):
            self.data = None
            raise ValueError(self.gettext("Not a valid decimal value."))

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else format(self.data, "f")


class MomentField(fields.DateTimeLocalField):
    """A moment, shown and read in the time zone of the reader."""

    def __init__(self, label: str | None = None, validators: Any = None, **kwargs: Any) -> None:
        formats = [f"%Y-%m-%d{mark}%H:%M{rest}" for rest in (":%S", "", ":%S%z", "%z") for mark in ("T", " ")]
        super().__init__(label, validators, format=formats, **kwargs)

    def process_data(self, value: datetime | None) -> None:
        """Show a stored moment by the reader's clock."""
        super().process_data(value)
        self.stored = self.data

    def _value(self) -> str:
        if self.raw_data:
            return " ".join(self.raw_data)
        return "" if self.data is None else f"{to_user_timezone(self.data):%Y-%m-%dT%H:%M:%S}"

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read a time of the reader's clock.

        :raises ValueError: also if clocks never show it, or twice
        """
        super().process_formdata(valuelist)
        if self.data is None:
            return
        if self.data.tzinfo is not None:
            self.data = self.data.astimezone(UTC)
            return
        local, self.data = self.data, None
        found = moments(local)
        stored = None if self.stored is None else self.stored.astimezone(UTC).replace(microsecond=0)
        if stored in found or len(found) == 1:
            self.data = stored if stored in found else found[0]
            return
        # The control for times cannot hold an offset.
        self.widget = TextInput()
        if found:
            offsets = [f"{to_user_timezone(one):%z}" for one in found]
            raise ValueError(
                gettext(
                    "Clocks show this time twice, as they are put back: add the offset, %(first)s or %(second)s.",
                    first=offsets[0],
                    second=offsets[1],
                )
            )
        raise ValueError(gettext("Clocks never show this time: they are put forward over it."))


def _flags(rule: marshmallow.fields.Field[Any]) -> dict[str, Any]:
    """Add the limits to the control, for the browser's keyboard and its own checks."""
    flags: dict[str, Any] = {}
    for check in rule.validators:
        if isinstance(check, validate.Length) and check.max is not None:
            flags["maxlength"] = check.max
        if isinstance(check, validate.Range):
            flags |= {name: value for name, value in (("min", check.min), ("max", check.max)) if value is not None}
    return flags


# --- filters ------------------------------------------------------------------------------------


def none_if_empty(value: Any) -> Any:
    """Return ``None`` for what is empty."""
    return value or None


def unix_lines(value: Any) -> Any:
    """Return a text with the line breaks as they are stored: browsers send those of a text area as CR LF."""
    return value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value


def as_uuid(value: Any) -> Any:
    """Return the UUID that a text says; what says none stays, to be refused."""
    try:
        return uuid.UUID(value) if isinstance(value, str) else value
    except ValueError:
        return value

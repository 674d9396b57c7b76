"""Forms made from models: one field for each column that a person may write.

``class ProductForm(model_form(Product))`` takes over labels, lengths, ranges and choices from the
columns and their ``info``, and checks each value by the same rules as the model's schema does. What
WTForms-SQLAlchemy has no field for, or the wrong one, is put right by :class:`Converter`.
"""

import re
import uuid
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import time
from decimal import Decimal
from typing import Any
from typing import ClassVar

import sqlalchemy as sa
from flask_wtf import FlaskForm
from sqlalchemy.orm import ColumnProperty
from sqlalchemy.orm.interfaces import MANYTOONE
from wtforms import Field
from wtforms import fields
from wtforms import validators
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # new in 3.3
from wtforms_sqlalchemy.orm import ModelConverter
from wtforms_sqlalchemy.orm import converts
from wtforms_sqlalchemy.orm import model_fields

from services import db

from ..access import hidden_attributes
from ..crud.choices import Choices as RowChoices
from ..fields import schemas
from ..fields.columns import field_class
from ..fields.columns import is_hidden
from ..fields.columns import plain_type
from ..fields.strict import LONGEST_TEXT
from ..fields.strict import Blob
from ..fields.strict import Spelled
from ..fields.strict import Structured
from ..fields.strict import Whole
from ..fields.words import choice_label
from ..fields.words import enum_choices
from ..fields.words import label
from ..fields.words import printable
from .inputs import ExactField
from .inputs import FitsColumn
from .inputs import JSONField
from .inputs import Required
from .inputs import RuledField
from .inputs import RuledJSONField
from .inputs import UTCField
from .inputs import show_as_typed
from .merging import Origin
from .merging import clear_errors
from .merging import remember_links
from .rows import RowCheckboxes
from .rows import RowSelect
from .rows import Searching
from .walking import field_at
from .walking import leaves

#: Texts longer than this many characters get a text area.
LONG_TEXT = 255


class ModelForm(FlaskForm):
    """The base of the forms of models."""

    #: Whose rows it writes.
    model: ClassVar[type[Any] | None] = None
    #: Foreign keys, each with the relationship that is chosen in its place.
    pointers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What one may not read one cannot write: it stays as it is stored.
        for name in hidden_attributes(self.model) if self.model is not None else ():
            if name in self:
                del self[name]

    def process(self, formdata: Any = None, obj: Any = None, *args: Any, **kwargs: Any) -> None:
        """Fill the fields; of the links of a stored row only those that are shown are read."""
        state = sa.inspect(obj, raiseerr=False)
        stored = obj if getattr(state, "has_identity", False) else None
        links = {}
        for field in self:
            if isinstance(field, RowCheckboxes):
                field.item, field.relation = stored, getattr(type(obj), field.short_name, None)
                links[field.short_name] = field
        super().process(formdata, _Without(obj, links) if stored is not None and links else obj, *args, **kwargs)

    def remember(self, origin: Origin) -> None:
        """Take over what the form that was sent had been made from."""
        remember_links(self, origin)

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether what was entered may be written; a field that holds what is stored need not pass."""
        super().validate(*args, **kwargs)
        for field in leaves(self):
            show_as_typed(field)
        return clear_errors(self)

    def values(self, item: Any = None) -> dict[str, Any]:
        """Return what was entered: attribute to value, for the verbs.

        What was left as it was shown stays as it is stored; links that stay as they are, are left out.

        :param item: the row that is edited
        """
        own = {field.short_name: field for field in self if field.type != "CSRFTokenField"}
        found = {name: _value(field, item, name) for name, field in own.items()}
        return {name: value for name, value in found.items() if value is not _UNCHANGED}

    def reload(self) -> None:
        """Read the rows to choose from again, after a rollback."""
        for field in leaves(self):
            if isinstance(field, RowSelect | RowCheckboxes):
                field.reload()

    @property
    def is_searching(self) -> bool:
        """Return whether the form was sent to find rows to choose from: nothing is to be saved."""
        return any(isinstance(field, Searching) and field.is_asking for field in leaves(self))

    @property
    def is_searchable(self) -> bool:
        """Return whether the form has a control with a search."""
        return any(isinstance(field, Searching) and field.is_searchable for field in leaves(self))

    def add_errors(self, errors: Mapping[str, Sequence[str]]) -> None:
        """Put what a verb refused beside the fields; what has none goes to the top.

        :param errors: as :exc:`core.exceptions.Invalid` has them; ``lines.0.quantity`` is in a form within the form
        """
        self.reload()
        for name, messages in errors.items():
            field = field_at(self, name) or field_at(self, self.pointers.get(name, name))
            if field is None or isinstance(field, fields.FormField):
                self.form_errors.extend(messages)
            else:
                field.errors = [*field.errors, *messages]


class _Without:
    """A row as it is, but for some of its attributes: to read those would read all their rows."""

    def __init__(self, item: Any, names: Iterable[str]) -> None:
        self._item = item
        self._names = frozenset(names)

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            raise AttributeError(name)
        return getattr(self._item, name)


def model_form(
    model: type[Any], *, only: Sequence[str] | None = None, exclude: Sequence[str] | None = None
) -> type[ModelForm]:
    """Make the form of a model.

    :param only: names of the attributes to be shown; by default all that may be written
    :param exclude: names of those to be left out
    :raises TypeError: if the model has no such attribute, or one that no control can write
    """
    unknown = sorted({*(only or ()), *(exclude or ())} - set(sa.inspect(model).attrs.keys()))
    if unknown:
        raise TypeError(f"{model.__name__} has no attribute {', '.join(unknown)}")
    names = [name for name in only or declared(model) if name not in (exclude or ())]
    found = model_fields(model, db.session, only=names, converter=Converter())
    # WTForms orders fields by a counter that is taken when they are made.
    counters = sorted(field.creation_counter for field in found.values())
    for name, counter in zip((name for name in names if name in found), counters, strict=True):
        found[name].creation_counter = counter
    return type(
        f"{model.__name__}Form", (ModelForm,), {**found, "model": model, "pointers": _pointers(sa.inspect(model))}
    )


def field_names(form: type[ModelForm]) -> list[str]:
    """Return the names of the fields of a form, without making one, which takes a request."""
    # WTForms knows a field that was not made yet by this attribute, too.
    return [name for name in dir(form) if hasattr(getattr(form, name, None), "_formfield")]


def declared(model: type[Any]) -> list[str]:
    """Return the attributes of a model as they are declared, each relationship in the place of its foreign key."""
    mapper = sa.inspect(model)
    places = {column: place for place, column in enumerate(mapper.local_table.columns)}

    def place(attribute: Any) -> int:
        columns: Any = getattr(attribute, "columns", None) or getattr(attribute, "local_columns", ())
        several = getattr(attribute, "uselist", False)
        known = [] if several else [places[column] for column in columns if column in places]
        return min(known, default=len(places))

    return [attribute.key for attribute in sorted(mapper.attrs, key=place)]


class Converter(ModelConverter):
    """WTForms-SQLAlchemy's converter with the types that it lacks or gets wrong.

    Its release 0.4.2 refuses an unchecked box, asks for what has a default, does not preselect the
    stored choice, stores '' where NULL is meant, and has no field for Float, Time, JSON and Uuid (its
    issue 47 and others). A method has the name of the one that it replaces.
    """

    def convert(self, model: Any, mapper: Any, prop: Any, field_args: Any, db_session: Any = None) -> Any:
        """Make the field of one attribute; ``None`` if a person does not write it."""
        if hasattr(prop, "direction"):
            if prop.viewonly:
                return None
            return self.converters[prop.direction.name](prop, _arguments(prop.info, prop.key, field_args))
        if not _is_written(mapper, prop):
            return None
        column = prop.columns[0]
        arguments = _arguments(column.info, prop.key, field_args)
        arguments["validators"] += [_presence(column), FitsColumn(column)]
        if column.default is not None and column.default.is_scalar:
            arguments["default"] = column.default.arg
        return self.get_converter(column)(column, arguments)

    @converts("String")
    def conv_String(self, column: Any, arguments: Any) -> Any:
        if column.nullable:
            arguments["filters"].append(_none_if_empty)
        if (plain_type(column).length or LONGEST_TEXT) > LONG_TEXT:
            arguments["filters"].append(_unix_lines)
            return fields.TextAreaField(**arguments)
        return fields.StringField(**arguments)

    @converts("Text")
    def conv_Text(self, column: Any, arguments: Any) -> Any:
        return self.conv_String(column, arguments)

    @converts("Boolean")
    def conv_Boolean(self, column: Any, arguments: Any) -> Any:
        if not column.nullable:
            # An empty box is an answer: nothing is required.
            return fields.BooleanField(**{**arguments, "validators": []})
        answers = {"": None, "yes": True, "no": False}
        shown = {None: "", True: "yes", False: "no"}
        choices = [SelectChoice("", "—"), SelectChoice("yes", "Yes"), SelectChoice("no", "No")]
        return _select(arguments, choices, answers, shown)

    @converts("Enum")
    def conv_Enum(self, column: Any, arguments: Any) -> Any:
        answers = enum_choices(plain_type(column))
        offered = [SelectChoice(name, choice_label(member)) for name, member in answers.items()]
        if column.nullable or column.default is None:
            # Without it a browser would choose the first of them.
            offered.insert(0, SelectChoice("", "—" if column.nullable else "Choose…"))
            answers[""] = None
        if not column.nullable:
            arguments["validators"] = [Required()]
        return _select(arguments, offered, answers, {member: name for name, member in answers.items()})

    @converts("Integer")
    def handle_integer_types(self, column: Any, arguments: Any) -> Any:
        return fields.IntegerField(**arguments)

    @converts("Numeric")
    def handle_decimal_types(self, column: Any, arguments: Any) -> Any:
        scale = plain_type(column).scale
        step = "any" if scale is None else f"{Decimal(10) ** -scale:f}"
        return ExactField(render_kw={"step": step}, **arguments)

    @converts("Float")
    def conv_Float(self, column: Any, arguments: Any) -> Any:
        return fields.FloatField(render_kw={"step": "any"}, **arguments)

    @converts("Date")
    def conv_Date(self, column: Any, arguments: Any) -> Any:
        return fields.DateField(**arguments)

    @converts("DateTime")
    def conv_DateTime(self, column: Any, arguments: Any) -> Any:
        if plain_type(column).timezone:
            return UTCField(**{**arguments, "label": f"{arguments['label']} (UTC)"})
        return fields.DateTimeLocalField(format=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"], **arguments)

    def conv_ruled(self, column: Any, arguments: Any) -> Any:
        return RuledField(rule=schemas.Converter().column2field(column), **arguments)

    def conv_ruled_json(self, column: Any, arguments: Any) -> Any:
        return RuledJSONField(rule=schemas.Converter().column2field(column), **arguments)

    @converts("Time")
    def conv_Time(self, column: Any, arguments: Any) -> Any:
        return fields.TimeField(format=["%H:%M:%S", "%H:%M"], **arguments)

    @converts("JSON")
    def conv_JSON(self, column: Any, arguments: Any) -> Any:
        return JSONField(**arguments)

    @converts("Uuid")
    def conv_PGUuid(self, column: Any, arguments: Any) -> Any:
        arguments["filters"] += [_none_if_empty, _uuid]
        return fields.StringField(**arguments)

    @converts("MANYTOONE")
    def conv_ManyToOne(self, prop: Any, arguments: Any) -> Any:
        optional = all(column.nullable for column in prop.local_columns)
        arguments["validators"].append(validators.Optional() if optional else Required())
        return RowSelect(
            offered=RowChoices(prop.mapper.class_),
            allow_blank=True,
            blank_value="",
            blank_text="—" if optional else "Choose…",
            **arguments,
        )

    @converts("MANYTOMANY")
    def conv_ManyToMany(self, prop: Any, arguments: Any) -> Any:
        return RowCheckboxes(offered=RowChoices(prop.mapper.class_), **arguments)

    @converts("ONETOMANY")
    def conv_OneToMany(self, prop: Any, arguments: Any) -> Any:
        """Leave the children to forms of their own: choosing here would take them from others."""
        return None

    def get_converter(self, column: sa.Column[Any]) -> Callable[..., Any]:
        """Find the converter of a column, also that of a TypeDecorator.

        :raises TypeError: for a type whose values no control can write
        """
        chosen = field_class(column)[0]
        if issubclass(chosen, Blob):
            raise TypeError(
                f"There is no control for the column {column} of type {column.type!r}: "
                "leave it out with exclude=, or write a field for it in a subclass of the form."
            )
        found: Callable[..., Any]
        if issubclass(chosen, Spelled):
            found = self.conv_ruled
        elif issubclass(chosen, Structured):
            found = self.conv_ruled_json
        elif issubclass(chosen, Whole):
            found = self.handle_integer_types
        else:
            found = super().get_converter(sa.Column(column.name, plain_type(column)))
        return found


def _pointers(mapper: Any) -> dict[str, str]:
    return {
        mapper.get_property_by_column(column).key: relation.key
        for relation in mapper.relationships
        if relation.direction is MANYTOONE and not relation.viewonly
        for column in relation.local_columns
    }


def _is_written(mapper: Any, prop: Any) -> bool:
    if not isinstance(prop, ColumnProperty) or not isinstance(prop.columns[0], sa.Column):
        # A synonym, a composite of columns that have fields, or something computed.
        return False
    column = prop.columns[0]
    if schemas.is_read_only(column) or column is mapper.version_id_col or is_hidden(column):
        return False
    # A foreign key is written by choosing the row that it points to.
    return prop.key not in _pointers(mapper)


def _arguments(info: Mapping[str, Any], name: str, given: Any) -> dict[str, Any]:
    arguments = {
        "label": label(name, info),
        "description": info.get("description", ""),
        **(given or {}),
    }
    arguments["validators"] = [*arguments.get("validators", ())]
    arguments["filters"] = [*arguments.get("filters", ())]
    return arguments


def _presence(column: sa.Column[Any]) -> Any:
    if column.nullable or column.default is not None or column.server_default is not None:
        # White space is a text like another, to be checked; elsewhere it is no answer.
        return validators.Optional(strip_whitespace=not isinstance(plain_type(column), sa.String))
    return Required()


def _select(arguments: Any, choices: list[SelectChoice], answers: Mapping[str, Any], shown: Mapping[Any, str]) -> Any:
    """Make a drop-down whose data are the values themselves, preselected when one is edited."""

    def coerce(value: Any) -> Any:
        if isinstance(value, str) and value in answers:
            return answers[value]
        if value in shown:
            return value
        raise ValueError(f"{value!r} is none of the choices")

    return fields.SelectField(
        choices=choices,
        coerce=coerce,
        invalid_value_message="Choose one of the list.",  # type: ignore[call-arg]  # new in 3.3
        **arguments,
    )


def _none_if_empty(value: Any) -> Any:
    return value or None


def _unix_lines(value: Any) -> Any:
    # Browsers send the line breaks of a text area as CR LF.
    return value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value


def _uuid(value: Any) -> Any:
    try:
        return uuid.UUID(value) if isinstance(value, str) else value
    except ValueError:
        return value


#: Stands for a value that is not to be written.
_UNCHANGED: Any = object()


def _value(field: Field, item: Any, name: str) -> Any:
    if isinstance(field, RowCheckboxes):
        rows = field.rows_for(item)
        return _UNCHANGED if rows is None else rows
    if isinstance(field, fields.FormField):
        return _of_form(field)
    if isinstance(field, fields.FieldList):
        return [_value(entry, None, "") for entry in field.entries]
    return _as_stored(field, getattr(item, name, None))


def _of_form(field: Any) -> dict[str, Any]:
    """Return the values of a form within a form, its token apart."""
    if isinstance(field.form, ModelForm):
        return field.form.values(field.object_data)
    inner = {one.short_name: one for one in field.form if one.type != "CSRFTokenField"}
    return {name: _value(one, None, "") for name, one in inner.items()}


def _as_stored(field: Field, before: Any) -> Any:
    if isinstance(before, datetime | time):
        # The control shows seconds; what was not touched keeps its fractions.
        return before if before.replace(microsecond=0) == field.data else field.data
    if isinstance(before, str) and isinstance(field, fields.StringField) and not isinstance(field, JSONField):
        # A control has line breaks of one kind, or none, and cannot distinguish '' from NULL.
        area = isinstance(field, fields.TextAreaField)
        seen = _unix_lines(before) if area else re.sub(r"[\r\n]", "", before)
        # A page shows other characters for those that it cannot hold.
        return before if (field.data or "") in (seen, printable(seen)) else field.data
    return field.data

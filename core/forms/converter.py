"""The control for each type of column: WTForms-SQLAlchemy's converter, with what it lacks or gets wrong."""

from collections.abc import Callable
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import ColumnProperty
from sqlalchemy.orm.interfaces import MANYTOONE
from wtforms import fields
from wtforms import validators
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # new in 3.3
from wtforms_sqlalchemy.orm import ModelConverter
from wtforms_sqlalchemy.orm import converts

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
from ..fields.words import label_text
from ..fields.words import lazily
from ..http.languages import zone_name
from .inputs import ExactField
from .inputs import FitsColumn
from .inputs import JSONField
from .inputs import MomentField
from .inputs import Required
from .inputs import RuledField
from .inputs import as_uuid
from .inputs import none_if_empty
from .inputs import unix_lines
from .rows import RowCheckboxes
from .rows import RowSelect

#: Texts longer than this many characters get a text area.
LONG_TEXT = 255


class Converter(ModelConverter):
    """WTForms-SQLAlchemy's converter with the types that it lacks or gets wrong.

    Its release 0.4.2 refuses an unchecked box, asks for what has a default, does not preselect the
    stored choice, stores '' where NULL is meant, and has no field for Float, Time, JSON and Uuid (its
    issue 47 and others). A method has the name of the one that it replaces.
    """

    def convert(self, model: Any, mapper: Any, prop: Any, field_args: Any, db_session: Any = None) -> Any:
        """Make the field of one attribute; ``None`` if a person does not write it."""
        self.model = model
        if hasattr(prop, "direction"):
            if prop.viewonly:
                return None
            return self.converters[prop.direction.name](prop, _arguments(model, prop.info, prop.key, field_args))
        if not _is_written(mapper, prop):
            return None
        column = prop.columns[0]
        arguments = _arguments(model, column.info, prop.key, field_args)
        arguments["validators"] += [_presence(column), FitsColumn(column)]
        if column.default is not None and column.default.is_scalar:
            arguments["default"] = column.default.arg
        return self.get_converter(column)(column, arguments)

    @converts("String")
    def conv_String(self, column: Any, arguments: Any) -> Any:
        if column.nullable:
            arguments["filters"].append(none_if_empty)
        if (plain_type(column).length or LONGEST_TEXT) > LONG_TEXT:
            arguments["filters"].append(unix_lines)
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
        choices = [
            SelectChoice("", "—"),
            SelectChoice("yes", lazy_gettext("Yes")),
            SelectChoice("no", lazy_gettext("No")),
        ]
        return _select(arguments, choices, answers, shown)

    @converts("Enum")
    def conv_Enum(self, column: Any, arguments: Any) -> Any:
        answers = enum_choices(plain_type(column))
        offered = [SelectChoice(name, LazyString(choice_label, member, self.model)) for name, member in answers.items()]
        if column.nullable or column.default is None:
            # Without it a browser would choose the first of them.
            offered.insert(0, SelectChoice("", "—" if column.nullable else lazy_gettext("Choose…")))
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
            return MomentField(**{**arguments, "label": LazyString(_with_zone, arguments["label"])})
        return fields.DateTimeLocalField(format=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"], **arguments)

    def conv_ruled(self, column: Any, arguments: Any) -> Any:
        return RuledField(rule=schemas.Converter().column2field(column), **arguments)

    def conv_ruled_json(self, column: Any, arguments: Any) -> Any:
        return JSONField(rule=schemas.Converter().column2field(column), **arguments)

    @converts("Time")
    def conv_Time(self, column: Any, arguments: Any) -> Any:
        return fields.TimeField(format=["%H:%M:%S", "%H:%M"], **arguments)

    @converts("JSON")
    def conv_JSON(self, column: Any, arguments: Any) -> Any:
        return JSONField(**arguments)

    @converts("Uuid")
    def conv_PGUuid(self, column: Any, arguments: Any) -> Any:
        arguments["filters"] += [none_if_empty, as_uuid]
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


def pointers(mapper: Any) -> dict[str, str]:
    """Return the foreign keys of a model, each with the relationship that is chosen in its place."""
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
    return prop.key not in pointers(mapper)


def _with_zone(label: str) -> str:
    return f"{label} ({zone_name()})"


def _arguments(model: type[Any], info: Mapping[str, Any], name: str, given: Any) -> dict[str, Any]:
    arguments = {
        "label": lazily(label_text(name, info), model),
        "description": lazily(str(info["description"]), model) if info.get("description") else "",
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
        invalid_value_message=lazy_gettext("Choose one of the list."),  # type: ignore[call-arg]  # new in 3.3
        **arguments,
    )

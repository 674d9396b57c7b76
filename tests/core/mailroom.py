"""A module as the tests of access need one: public rows, rows with owners, restricted rows.

It has a Base of its own, so that no other test finds its tables in the shared metadata.
"""

import sqlalchemy as sa
from flask import Blueprint
from flask_restful import Resource
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.access import PUBLIC
from core.access import SIGNED_IN
from core.access import Identity
from core.access import access
from core.access import permission
from core.access import restrict
from core.crud import Crud
from core.data.models import Owned
from core.data.models import Versioned
from core.fields.schemas import ModelSchema
from core.forms import model_form
from core.pages import Pages
from core.rest import Api
from core.rest import ModelResource
from services import NAMING_CONVENTION


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Project(Base):
    """A restricted row."""

    __tablename__ = "mailroom_project"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20))

    def __str__(self) -> str:
        return self.name


class Letter(Owned, Versioned, Base):
    """For its owner, and for the secretary."""

    __tablename__ = "mailroom_letter"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(20))
    project_id: Mapped[int | None] = mapped_column(sa.ForeignKey("mailroom_project.id"))
    project: Mapped[Project | None] = relationship()
    notes: Mapped[list["Note"]] = relationship(back_populates="letter")

    def __str__(self) -> str:
        return self.title


class Note(Base):
    """A public row that refers to a restricted one."""

    __tablename__ = "mailroom_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(20))
    letter_id: Mapped[int] = mapped_column(sa.ForeignKey("mailroom_letter.id"))
    letter: Mapped[Letter] = relationship(back_populates="notes")
    project_id: Mapped[int | None] = mapped_column(sa.ForeignKey("mailroom_project.id"))
    project: Mapped[Project | None] = relationship()

    def __str__(self) -> str:
        return self.text


class Memo(Base):
    """Without a declared policy."""

    __tablename__ = "mailroom_memo"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20))


READ = permission("mailroom.letter.read", owner="owner_key")
EDIT = permission("mailroom.letter.edit", owner="owner_key")
OPEN = permission("mailroom.project.open")


class Letters(Crud):
    model = Letter
    sorts = ("title",)
    filters = {"project_id": ("eq",)}
    access = {"list": READ, "get": READ, "create": permission("mailroom.letter.write"), "update": EDIT, "delete": EDIT}


class Projects(Crud):
    model = Project
    access = {"list": OPEN, "get": OPEN}


class Notes(Crud):
    model = Note
    search = ("text", "project.name")
    filters = {"project_id": ("eq",), "letter.title": ("startswith",), "project.name": ("eq",)}
    sorts = ("text", "letter.title", "project.name")
    access = {"list": PUBLIC, "get": PUBLIC, "create": SIGNED_IN}


class Memos(Crud):
    model = Memo


letters, projects, notes = Letters(), Projects(), Notes()

bp = Blueprint("mailroom", __name__, url_prefix="/mailroom")
v1 = Blueprint("v1", __name__, url_prefix="/v1")
closed = Blueprint("closed", __name__, url_prefix="/closed")
restrict(closed, SIGNED_IN)
api = Api(v1)


class LetterSchema(ModelSchema):
    class Meta:
        model = Letter


class ProjectSchema(ModelSchema):
    class Meta:
        model = Project


class NoteSchema(ModelSchema):
    class Meta:
        model = Note


class MemoSchema(ModelSchema):
    class Meta:
        model = Memo


class LetterResource(ModelResource):
    verbs = letters
    schema = LetterSchema
    includes = {"project": ProjectSchema, "notes": NoteSchema}


class NoteResource(ModelResource):
    verbs = notes
    schema = NoteSchema
    includes = {"letter": LetterSchema, "project": ProjectSchema}
    allow = ("list", "get", "create")


class ProjectResource(ModelResource):
    verbs = projects
    schema = ProjectSchema
    allow = ("list", "get")


class MemoResource(ModelResource):
    verbs = Memos()
    schema = MemoSchema


class Health(Resource):
    """Flask-RESTful without our faces."""

    policy = {"POST": SIGNED_IN, "GET": None}

    def get(self) -> dict[str, bool]:
        return {"is_up": False}

    def post(self) -> dict[str, bool]:
        return {"is_up": True}


LetterResource.register(api, "/letters")
NoteResource.register(api, "/notes")
ProjectResource.register(api, "/projects")
MemoResource.register(api, "/memos")
api.add_resource(Health, "/health")


class LetterPages(Pages):
    verbs = letters
    form = model_form(Letter, only=("title", "project"))
    columns = ("title", "project")


class NotePages(Pages):
    verbs = notes
    columns = ("text", "letter", "project")
    details = ("text", "letter", "project")
    allow = ("list", "get")


LetterPages.register(bp, "/letters")
NotePages.register(bp, "/notes")


@bp.route("/inbox", methods=["GET", "POST"])
@access(SIGNED_IN)
def inbox() -> str:
    return "open"


@bp.get("/outbox")
@access({"GET": SIGNED_IN})
def outbox() -> str:
    return "open"


@bp.get("/imprint")
def imprint() -> str:
    return "green"


@closed.get("/archive")
def archive() -> str:
    return "warm"


@closed.route("/upload", methods=["GET", "POST"])
@access({"GET": None, "POST": PUBLIC})
def upload() -> str:
    return "dark"


@access(PUBLIC)
@closed.get("/hours")
def hours() -> str:
    return "bright"


bp.register_blueprint(v1)
bp.register_blueprint(closed)

#: By the header ``X-Who``.
PEOPLE = {
    "ann": Identity("ann", "Ann", frozenset({"mailroom.letter.write"}), via="session"),
    "bob": Identity("bob", "Bob", frozenset(), via="session"),
    "secretary": Identity(
        "secretary",
        "Sec",
        frozenset({"mailroom.letter.read", "mailroom.letter.edit", "mailroom.letter.write", "mailroom.project.open"}),
        via="session",
    ),
    # Ann's, limited to reading and writing.
    "robot": Identity(
        key="ann",
        name="Ann",
        permissions=frozenset({"mailroom.letter.write"}),
        scopes=frozenset({"mailroom.letter.read", "mailroom.letter.write"}),
        via="token",
    ),
}

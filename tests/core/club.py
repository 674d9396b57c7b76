"""A module as the tests of access need one: rows for everybody, rows with owners, rows for some.

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


class Vault(Base):
    """Not for everybody."""

    __tablename__ = "club_vault"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20))

    def __str__(self) -> str:
        return self.name


class Letter(Owned, Versioned, Base):
    """For its owner, and for the secretary."""

    __tablename__ = "club_letter"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(20))
    vault_id: Mapped[int | None] = mapped_column(sa.ForeignKey("club_vault.id"))
    vault: Mapped[Vault | None] = relationship()
    notes: Mapped[list["Note"]] = relationship(back_populates="letter")

    def __str__(self) -> str:
        return self.title


class Note(Base):
    """For everybody to read, about something that is not."""

    __tablename__ = "club_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(20))
    letter_id: Mapped[int] = mapped_column(sa.ForeignKey("club_letter.id"))
    letter: Mapped[Letter] = relationship(back_populates="notes")
    vault_id: Mapped[int | None] = mapped_column(sa.ForeignKey("club_vault.id"))
    vault: Mapped[Vault | None] = relationship()

    def __str__(self) -> str:
        return self.text


class Plain(Base):
    """Without a declared policy."""

    __tablename__ = "club_plain"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20))


READ = permission("club.letter.read", owner="owner_key")
EDIT = permission("club.letter.edit", owner="owner_key")
OPEN = permission("club.vault.open")


class Letters(Crud):
    model = Letter
    sorts = ("title",)
    filters = {"vault_id": ("eq",)}
    access = {"list": READ, "get": READ, "create": permission("club.letter.write"), "update": EDIT, "delete": EDIT}


class Vaults(Crud):
    model = Vault
    access = {"list": OPEN, "get": OPEN}


class Notes(Crud):
    model = Note
    search = ("text", "vault.name")
    filters = {"vault_id": ("eq",), "letter.title": ("startswith",), "vault.name": ("eq",)}
    sorts = ("text", "letter.title", "vault.name")
    access = {"list": PUBLIC, "get": PUBLIC, "create": SIGNED_IN}


class Plains(Crud):
    model = Plain


letters, vaults, notes = Letters(), Vaults(), Notes()

bp = Blueprint("club", __name__, url_prefix="/club")
v1 = Blueprint("v1", __name__, url_prefix="/v1")
closed = Blueprint("closed", __name__, url_prefix="/closed")
restrict(closed, SIGNED_IN)
api = Api(v1)


class LetterSchema(ModelSchema):
    class Meta:
        model = Letter


class VaultSchema(ModelSchema):
    class Meta:
        model = Vault


class NoteSchema(ModelSchema):
    class Meta:
        model = Note


class PlainSchema(ModelSchema):
    class Meta:
        model = Plain


class LetterResource(ModelResource):
    verbs = letters
    schema = LetterSchema
    includes = {"vault": VaultSchema, "notes": NoteSchema}


class NoteResource(ModelResource):
    verbs = notes
    schema = NoteSchema
    includes = {"letter": LetterSchema, "vault": VaultSchema}
    allow = ("list", "get", "create")


class VaultResource(ModelResource):
    verbs = vaults
    schema = VaultSchema
    allow = ("list", "get")


class PlainResource(ModelResource):
    verbs = Plains()
    schema = PlainSchema


class Bell(Resource):
    """Flask-RESTful without our faces."""

    policy = {"POST": SIGNED_IN, "GET": None}

    def get(self) -> dict[str, bool]:
        return {"rings": False}

    def post(self) -> dict[str, bool]:
        return {"rings": True}


LetterResource.register(api, "/letters")
NoteResource.register(api, "/notes")
VaultResource.register(api, "/vaults")
PlainResource.register(api, "/plains")
api.add_resource(Bell, "/bell")


class LetterPages(Pages):
    verbs = letters
    form = model_form(Letter, only=("title", "vault"))
    columns = ("title", "vault")


class NotePages(Pages):
    verbs = notes
    columns = ("text", "letter", "vault")
    details = ("text", "letter", "vault")
    allow = ("list", "get")


LetterPages.register(bp, "/letters")
NotePages.register(bp, "/notes")


@bp.route("/door", methods=["GET", "POST"])
@access(SIGNED_IN)
def door() -> str:
    return "open"


@bp.get("/gate")
@access({"GET": SIGNED_IN})
def gate() -> str:
    return "open"


@bp.get("/lawn")
def lawn() -> str:
    return "green"


@closed.get("/room")
def room() -> str:
    return "warm"


@closed.route("/hatch", methods=["GET", "POST"])
@access({"GET": None, "POST": PUBLIC})
def hatch() -> str:
    return "dark"


@access(PUBLIC)
@closed.get("/window")
def window() -> str:
    return "bright"


bp.register_blueprint(v1)
bp.register_blueprint(closed)

#: By the header ``X-Who``.
PEOPLE = {
    "ann": Identity("ann", "Ann", frozenset({"club.letter.write"}), via="session"),
    "bob": Identity("bob", "Bob", frozenset(), via="session"),
    "secretary": Identity(
        "secretary",
        "Sec",
        frozenset({"club.letter.read", "club.letter.edit", "club.letter.write", "club.vault.open"}),
        via="session",
    ),
    # Ann's, limited to reading and writing.
    "robot": Identity(
        key="ann",
        name="Ann",
        permissions=frozenset({"club.letter.write"}),
        scopes=frozenset({"club.letter.read", "club.letter.write"}),
        via="token",
    ),
}

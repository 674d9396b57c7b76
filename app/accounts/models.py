"""Users, their roles, and what belongs to them: passkeys, sessions, tokens.

Columns that Flask-Security reads keep the names that it knows (``fs_uniquifier``, ``tf_totp_secret``);
its own models are not used: their tables, types and indexes are not the same on every engine.
"""

from datetime import datetime
from uuid import uuid4

from flask_security import RoleMixin
from flask_security import UserMixin
from flask_security import WebAuthnMixin
from sqlalchemy import JSON
from sqlalchemy import BigInteger
from sqlalchemy import Column
from sqlalchemy import ForeignKey
from sqlalchemy import LargeBinary
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.associationproxy import AssociationProxy
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship
from sqlalchemy.orm import validates

from core.data.models import UtcDateTime
from core.data.models import Versioned
from core.data.models import exact
from core.data.models import now
from services import Model
from services import db

#: Letters in the name of a role, and of a user.
LONGEST_ROLE = 40
LONGEST_NAME = 120


def new_key() -> str:
    """Return a random key."""
    return str(uuid4())


user_role = Table(
    "accounts_user_role",
    db.metadata,
    Column("user_id", ForeignKey("accounts_user.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", ForeignKey("accounts_role.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class RolePermission(Model):
    """A role grants a permission, by the name that a module declared."""

    # Recorded as a value of its role; see `roles/granting.py`.
    __tablename__ = "accounts_role_permission"

    role_id: Mapped[int] = mapped_column(ForeignKey("accounts_role.id", ondelete="CASCADE"), primary_key=True)
    permission: Mapped[str] = mapped_column(exact(100), primary_key=True)


class Role(RoleMixin, Model):
    __tablename__ = "accounts_role"
    __recorded__ = True

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(exact(LONGEST_ROLE), unique=True)
    description: Mapped[str | None] = mapped_column(String(200))
    grants: Mapped[list[RolePermission]] = relationship(
        cascade="all, delete-orphan", order_by=RolePermission.permission
    )
    permissions: AssociationProxy[list[str]] = association_proxy(
        "grants", "permission", creator=lambda permission: RolePermission(permission=permission)
    )

    def __str__(self) -> str:
        return self.name


class User(Versioned, UserMixin, Model):
    __tablename__ = "accounts_user"
    # Of secret columns, the history records only that they changed.
    __recorded__ = True

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(
        exact(36), unique=True, default=new_key, info={"description": "Never changes; other tables name a user by it."}
    )
    email: Mapped[str] = mapped_column(
        exact(254), unique=True, info={"description": "As `app.accounts.users.normalized` writes it, in small letters."}
    )
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    #: Its hash, by Argon2id.
    password: Mapped[str | None] = mapped_column(String(255), info={"secret": True})
    #: Empty: as the browser says.
    language: Mapped[str] = mapped_column(exact(35), default="", server_default="", info={"recorded": False})
    time_zone: Mapped[str] = mapped_column(exact(64), default="", server_default="", info={"recorded": False})
    active: Mapped[bool] = mapped_column(default=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    #: Names the user in a session; a new one ends all sessions.
    fs_uniquifier: Mapped[str] = mapped_column(
        exact(64), unique=True, default=lambda: uuid4().hex, info={"secret": True, "label": "Key of the sessions"}
    )
    fs_webauthn_user_handle: Mapped[str | None] = mapped_column(  # type: ignore[assignment]  # a str in Flask-Security
        exact(64), unique=True, default=lambda: uuid4().hex, info={"secret": True, "label": "Key of the passkeys"}
    )
    tf_primary_method: Mapped[str | None] = mapped_column(String(64), info={"label": "Second factor"})
    tf_totp_secret: Mapped[str | None] = mapped_column(
        String(255), info={"secret": True, "label": "Key of the authenticator app"}
    )
    #: The last code that was taken: none counts twice.
    tf_totp_counter: Mapped[int | None] = mapped_column(BigInteger, info={"recorded": False})
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(
        MutableList.as_mutable(JSON(none_as_null=True)), info={"secret": True, "label": "Recovery codes"}
    )
    # Lists of our own classes: Flask-Security names its mixins.
    roles: Mapped[list[Role]] = relationship(secondary=user_role, order_by=Role.name)  # type: ignore[assignment]  # untyped in Flask-Security
    webauthn: Mapped[list["Passkey"]] = relationship(  # type: ignore[assignment]  # untyped in Flask-Security
        back_populates="user", cascade="all, delete-orphan", order_by="Passkey.id", info={"label": "Passkeys"}
    )

    #: Flask-Security asks for it, also where no code is sent by SMS.
    tf_phone_number = None

    @validates("email")
    def _void_links(self, key: str, email: str) -> str:
        """Void what was mailed to the address before, and end the sessions: both name the account by its uniquifier."""
        if self.email not in (None, email):
            self.fs_uniquifier = uuid4().hex
        return email

    def __str__(self) -> str:
        return self.name


class Passkey(WebAuthnMixin, Model):
    """Credential of a browser or a security key (WebAuthn)."""

    __tablename__ = "accounts_webauthn"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("accounts_user.id", ondelete="CASCADE"), index=True)
    user: Mapped[User] = relationship(back_populates="webauthn")
    name: Mapped[str] = mapped_column(String(64))
    # WebAuthn Level 3, section 4: at most 1,023 bytes.
    credential_id: Mapped[bytes] = mapped_column(
        LargeBinary(1023).with_variant(mysql.VARBINARY(1023), "mysql", "mariadb"), unique=True
    )
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger, default=0)
    transports: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    extensions: Mapped[str | None] = mapped_column(String(255))
    device_type: Mapped[str] = mapped_column(String(64))
    backup_state: Mapped[bool]
    usage: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    lastuse_datetime: Mapped[datetime] = mapped_column(UtcDateTime)

    def __str__(self) -> str:
        return self.name


class Session(Model):
    """A browser that is signed in; the cookie holds an id of which only the digest is here."""

    __tablename__ = "accounts_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(exact(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("accounts_user.id", ondelete="CASCADE"), index=True)
    user: Mapped[User] = relationship()
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    address: Mapped[str | None] = mapped_column(String(45))
    agent: Mapped[str | None] = mapped_column(String(255))


class Token(Model):
    """A personal access token; it was shown once, and only its digest is here."""

    __tablename__ = "accounts_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("accounts_user.id", ondelete="CASCADE"), index=True)
    user: Mapped[User] = relationship()
    name: Mapped[str] = mapped_column(String(80))
    prefix: Mapped[str] = mapped_column(exact(16), info={"description": "How it begins, to distinguish it."})
    digest: Mapped[str] = mapped_column(exact(64), unique=True)
    scopes: Mapped[str] = mapped_column(
        Text, info={"description": "Permissions that it is limited to, between spaces (RFC 6749, section 3.3)."}
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def __str__(self) -> str:
        return self.name

"""Checks of the accounts, for ``flask doctor``: who administers the site, how mail goes, what piles up."""

from collections.abc import Iterator
from collections.abc import Sequence
from urllib.parse import urlsplit

import sqlalchemy as sa

from app.doctor import Deployment
from app.doctor import Finding
from app.doctor import Level
from app.doctor import Needs
from app.doctor import check
from core import access
from core.data.models import now
from services import db

from .models import Passkey
from .models import Role
from .models import RolePermission
from .models import Session
from .models import User
from .sessions import lifetimes

#: The role that may do everything.
ADMINISTRATOR = "administrator"

#: The check's factor, its setting, and the condition for users who have it.
FACTORS = {
    "ACCOUNTS_TOTP": User.tf_totp_secret.is_not(None),
    "ACCOUNTS_PASSKEYS": sa.exists().where(Passkey.user_id == User.id),
}

#: Endings of reserved addresses (RFC 2606), except those of test accounts.
RESERVED = ("example.com", "example.net", "example.org")

#: Hours after which NIST SP 800-63B requires a new sign-in, also at its lowest level: thirty days.
LONGEST_HOURS = 30 * 24

#: Records of sessions that have ended; each sign-in clears away some.
MANY_RECORDS = 100_000


@check("accounts.administrator-missing", Level.WARNING, needs=Needs.DATABASE)
def administrator_missing(deployment: Deployment) -> Iterator[Finding]:
    """There is an administrator who can sign in."""
    if not _administrators():
        yield Finding(
            "There is no administrator who can sign in.",
            "flask --app run accounts create-admin you@your-domain",
            "accounts_user_role",
        )


@check("accounts.administrator-factor", Level.WARNING, needs=Needs.DATABASE, production=True)
def administrator_factor(deployment: Deployment) -> Iterator[Finding]:
    """Administrators sign in with a second factor or a passkey (ASVS 6.3.3)."""
    apps, keys = (deployment.config[name] for name in FACTORS)
    bare = [
        user.email for user in _administrators() if not (apps and user.tf_totp_secret) and not (keys and user.webauthn)
    ]
    if bare:
        yield Finding(
            f"A password is enough to administer the site, as {_some(bare)}.",
            "Let them set up an authenticator app or a passkey: /accounts/second-factor.",
            "accounts_user",
        )


@check("accounts.factor-off", Level.WARNING, needs=Needs.DATABASE)
def factor_off(deployment: Deployment) -> Iterator[Finding]:
    """Second factors that users have set up are asked for."""
    for name, has in FACTORS.items():
        if deployment.config[name]:
            continue
        count = db.session.scalar(sa.select(sa.func.count(User.id)).where(User.active, has)) or 0
        if count:
            yield Finding(
                f"{name} is false, but was used by {count} who now sign in without.",
                f"Set {name}=true, or inform them that their password alone protects their account.",
                name,
            )


@check("accounts.reserved-address", Level.WARNING, needs=Needs.DATABASE, production=True)
def reserved_address(deployment: Deployment) -> Iterator[Finding]:
    """No account is left from a demonstration or a test (ASVS 6.3.2)."""
    ends = [User.email.endswith(f"{sign}{name}") for name in RESERVED for sign in "@."]
    found = db.session.scalars(sa.select(User.email).where(User.active, sa.or_(*ends)).order_by(User.email)).all()
    if found:
        yield Finding(
            f"Accounts have reserved addresses: {_some(found)}.",
            "flask --app run accounts disable ADDRESS",
            "accounts_user",
        )


@check("accounts.registration-open", Level.WARNING, production=True)
def registration_open(deployment: Deployment) -> Iterator[Finding]:
    """Registration confirms the address."""
    config = deployment.config
    if config["ACCOUNTS_REGISTRATION"] and not (config["ACCOUNTS_CONFIRM"] and config["MAIL_URL"]):
        yield Finding(
            "Visitors may register with any address, also with another person's.",
            "Set ACCOUNTS_CONFIRM=true and MAIL_URL, or ACCOUNTS_REGISTRATION=false.",
            "ACCOUNTS_REGISTRATION",
        )


@check("accounts.mail-missing", Level.WARNING, production=True)
def mail_missing(deployment: Deployment) -> Iterator[Finding]:
    """Mails can be sent."""
    if not deployment.config["MAIL_URL"]:
        yield Finding(
            "MAIL_URL is not set: users cannot reset a forgotten password, and get no mail when theirs is changed.",
            "Set MAIL_URL=smtp://USER:PASSWORD@HOST:587 and MAIL_SENDER.",
            "MAIL_URL",
        )


@check("accounts.mail-kept", Level.ERROR, production=True)
def mail_kept(deployment: Deployment) -> Iterator[Finding]:
    """Mails go to their recipients, and not into the log or a folder, where others read the links in them."""
    kept = {urlsplit(url).scheme for url in deployment.config["MAIL_URL"] or ()} & {"console", "folder", "memory"}
    if kept:
        yield Finding(
            f"Mails are kept here ({', '.join(sorted(kept))}), with links by which one signs in as their recipients.",
            "Set MAIL_URL=smtp://USER:PASSWORD@HOST:587.",
            "MAIL_URL",
        )


@check("accounts.session-long", Level.WARNING, production=True)
def session_long(deployment: Deployment) -> Iterator[Finding]:
    """Sessions last thirty days at most (NIST SP 800-63B)."""
    for name in ("SESSION_MAX_HOURS", "SESSION_IDLE_HOURS"):
        hours = deployment.config[name]
        if hours > LONGEST_HOURS:
            yield Finding(f"{name} is {hours}: {hours // 24} days.", f"Set it to {LONGEST_HOURS} or less.", name)


@check("accounts.sessions-ended", Level.INFO, needs=Needs.DATABASE)
def sessions_ended(deployment: Deployment) -> Iterator[Finding]:
    """The records of sessions that have ended are cleared away."""
    idle = sa.select(Session.id).where(Session.seen_at <= now() - lifetimes.store().idle).limit(MANY_RECORDS + 1)
    count = db.session.scalar(sa.select(sa.func.count()).select_from(idle.subquery())) or 0
    if count > MANY_RECORDS:
        yield Finding(
            f"Over {MANY_RECORDS:,} records of sessions have ended and are still there.",
            "Each sign-in clears away 200; to do it at once, delete them from the table.",
            "accounts_session",
        )


@check("accounts.permission-unknown", Level.INFO, needs=Needs.DATABASE)
def permission_unknown(deployment: Deployment) -> Iterator[Finding]:
    """Roles grant what there is."""
    granted = db.session.scalars(sa.select(RolePermission.permission).distinct()).all()
    unknown = sorted({*granted} - {*access.permissions(deployment.app)})
    if unknown:
        yield Finding(
            f"Roles grant permissions that no installed module asks for: {_some(unknown)}.",
            "If the module is gone for good, take them from the roles: they would count again if it came back.",
            "accounts_role_permission",
        )


def _administrators() -> list[User]:
    named = sa.select(User).join(User.roles).where(Role.name == ADMINISTRATOR, User.active).order_by(User.email)
    return list(db.session.scalars(named).unique())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"

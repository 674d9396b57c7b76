"""Personal access tokens: made, listed, revoked. No HTTP.

A token does what its owner may do at that moment, and of that only what its scopes name. Who loses a right
loses it for all tokens at once; there is nothing to bring up to date.
"""

from collections.abc import Collection
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext

from core.access.security_log import record
from core.data.models import now
from core.exceptions import Invalid
from core.exceptions import NotFound
from services import db

from ..identities import identity_of
from ..models import Token
from ..models import User
from .scopes import names as offered_names
from .texts import SHOWN_LENGTH
from .texts import digest
from .texts import new_text

#: Days that a token counts, where its owner does not say; at most a year, and none for ever.
DAYS = 90
MOST_DAYS = 366

LONGEST_NAME = 80

#: Tokens of one account: with more than that, their owner has lost track of them.
MOST_TOKENS = 50


def make(user: User, name: str, scopes: Collection[str], days: int = DAYS) -> tuple[Token, str]:
    """Make a token of a user, and return it with its text, which is never shown again.

    :param scopes: permissions that it is limited to, of those that :mod:`.scopes` offers
    :param days: how long it counts
    :raises Invalid: if it cannot be made so
    """
    errors: dict[str, list[str]] = {}
    unknown = sorted(set(scopes) - offered_names(identity_of(user, "session")))
    if unknown or not scopes:
        refused = (
            gettext("%(names)s: nothing that “%(user)s” may do.", names=", ".join(unknown), user=user)
            if unknown
            else gettext("Choose what the token may do.")
        )
        errors["scopes"] = [refused]
    if not 1 <= len(name) <= LONGEST_NAME:
        errors["name"] = [gettext("A name has 1 to %(longest_name)s characters.", longest_name=LONGEST_NAME)]
    if not 1 <= days <= MOST_DAYS:
        errors["days"] = [gettext("A token counts for 1 to %(most_days)s days.", most_days=MOST_DAYS)]
    mine = _locked(user)
    if any(token.name == name for token in mine):
        errors["name"] = [gettext("There is a token of this name already.")]
    if len(mine) >= MOST_TOKENS:
        errors[""] = [
            gettext("An account has at most %(most_tokens)s tokens: revoke one first.", most_tokens=MOST_TOKENS)
        ]
    if errors:
        raise Invalid(errors)
    text = new_text()
    token = Token(
        user_id=user.id,
        name=name,
        prefix=text[:SHOWN_LENGTH],
        digest=digest(text),
        scopes=" ".join(sorted(scopes)),
        expires_at=now() + timedelta(days=days),
    )
    db.session.add(token)
    db.session.flush()
    record("token.made", who=user.key, target=token.id)
    return token, text


def _locked(user: User) -> Sequence[Token]:
    """Return a user's tokens and lock them: of parallel requests that make one, each sees the others' tokens."""
    db.session.execute(sa.select(User.id).where(User.id == user.id).with_for_update())
    # With a lock: on MariaDB a plain SELECT would still see what was before the wait.
    return db.session.scalars(sa.select(Token).where(Token.user_id == user.id).with_for_update()).all()


def of(user: User) -> Sequence[Token]:
    """Return a user's tokens, the newest first; those that have expired are among them."""
    return db.session.scalars(sa.select(Token).where(Token.user_id == user.id).order_by(Token.id.desc())).all()


def get(user: User, token_id: int) -> Token:
    """Return one of a user's tokens.

    :raises NotFound: if it is none of theirs
    """
    found = db.session.scalar(sa.select(Token).where(Token.id == token_id, Token.user_id == user.id))
    if found is None:
        raise NotFound(gettext("You have no token %(token_id)s.", token_id=token_id))
    return found


def revoke(token: Token) -> None:
    """End a token, from the next request on."""
    db.session.delete(token)
    db.session.flush()
    record("token.revoked", who=token.user.key, target=token.id)


def revoke_all(user: User) -> int:
    """End all tokens of a user, and return how many there were."""
    result: Any = db.session.execute(sa.delete(Token).where(Token.user_id == user.id))
    if result.rowcount:
        record("token.revoked", who=user.key, count=result.rowcount)
    return int(result.rowcount)

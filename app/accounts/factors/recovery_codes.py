"""Recovery codes: for the day on which the phone is lost. Shown when they are made, and never again."""

import base64
import hashlib
import secrets
from typing import cast

from flask_security import MfRecoveryCodesUtil
from flask_security import UserMixin
from sqlalchemy import select

from services import db

from ..models import User
from . import notices

#: 120 bits, so that a plain digest is enough: OWASP ASVS 5.0, 6.5.2, asks for 112.
BYTES = 15

#: Letters that the alphabet of RFC 4648, section 6, leaves out for what they are taken for.
_LOOK_ALIKES = str.maketrans("018", "OIB")


class RecoveryCodes(MfRecoveryCodesUtil):
    """Flask-Security's recovery codes, of which only digests are kept.

    Its types name a mixin of the user; the users are those of our datastore.
    """

    def create_recovery_codes(self, user: UserMixin) -> list[str]:
        """Return new codes; those before do not count any more."""
        codes = [_new() for _ in range(10)]
        user.mf_recovery_codes = [_digest(code) for code in codes]
        notices.codes_are_made(cast(User, user))
        return codes

    def get_recovery_codes(self, user: UserMixin) -> list[str]:
        """Return none: what is kept cannot be shown."""
        return []

    def check_recovery_code(self, user: UserMixin, code: str) -> bool:
        """Return whether this is an unused code of the user; a second request with it waits, and gets no."""
        # Not `refresh`, which would lock the roles that the user came with as well.
        locked = select(User).where(User.id == user.id).with_for_update().execution_options(populate_existing=True)
        db.session.scalar(locked)
        return _digest(code) in (user.mf_recovery_codes or [])

    def delete_recovery_code(self, user: UserMixin, code: str) -> bool:
        """Use a code up."""
        user.mf_recovery_codes = [one for one in user.mf_recovery_codes or [] if one != _digest(code)]
        notices.code_is_used(cast(User, user), len(user.mf_recovery_codes))
        return True


def _new() -> str:
    text = base64.b32encode(secrets.token_bytes(BYTES)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _digest(code: str) -> str:
    letters = "".join(one for one in code.upper() if one.isalnum()).translate(_LOOK_ALIKES)
    return hashlib.sha256(letters.encode()).hexdigest()

"""The page of the second factor; those that change it are Flask-Security's, see ``setup.py``."""

from flask import current_app
from flask import render_template
from flask.blueprints import BlueprintSetupState
from flask_login import current_user

from .. import bp


@bp.record
def offer(state: BlueprintSetupState) -> None:
    """Have the page only where something of it is switched on."""
    if state.app.config["ACCOUNTS_TOTP"] or state.app.config["ACCOUNTS_PASSKEYS"]:
        state.add_url_rule("/second-factor", "second_factor", second_factor)


def second_factor() -> str:
    """Show what signing in asks for beside the password."""
    config = current_app.config
    keys = sum(passkey.usage == "secondary" for passkey in current_user.webauthn)
    has_app = current_user.tf_primary_method is not None
    return render_template(
        "accounts/second_factor.html",
        with_app=config["ACCOUNTS_TOTP"],
        with_passkeys=config["ACCOUNTS_PASSKEYS"],
        has_app=has_app,
        keys=keys,
        is_on=(has_app and config["ACCOUNTS_TOTP"]) or (keys > 0 and config["ACCOUNTS_PASSKEYS"]),
        codes_left=len(current_user.mf_recovery_codes or ()),
    )

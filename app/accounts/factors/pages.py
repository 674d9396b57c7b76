"""The page of the second factor, and the one that asks; those that change it are Flask-Security's, see ``setup.py``."""

from flask import current_app
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.blueprints import BlueprintSetupState
from flask_login import current_user
from werkzeug.wrappers import Response

from .. import bp


@bp.record
def offer(state: BlueprintSetupState) -> None:
    """Have the pages only where something of them is switched on."""
    config = state.app.config
    if config["ACCOUNTS_TOTP"] or config["ACCOUNTS_PASSKEYS"]:
        state.add_url_rule("/second-factor", "second_factor", second_factor)
    if config["ACCOUNTS_PASSKEYS"]:
        state.add_url_rule("/passkeys/delete", "passkey_delete", passkey_delete)


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


def passkey_delete() -> str | Response:
    """Ask whether to delete a passkey; its form goes to Flask-Security's view of this address."""
    name = request.args.get("name", "")
    if name not in (passkey.name for passkey in current_user.webauthn):
        # It is gone, or it was asked once more who is there: that leads back without the name.
        return redirect(url_for("security.wan_register"), 303)
    return render_template("accounts/passkey_delete.html", name=name)

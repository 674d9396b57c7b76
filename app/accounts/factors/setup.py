"""The second factor and passkeys: how Flask-Security is set for them."""

from datetime import timedelta
from typing import Any

from flask import Flask
from flask_login import current_user

import settings
from core.fields.encryption import derive

from . import forms
from . import passkeys
from .app_codes import USE
from .app_codes import WINDOW_SECONDS
from .app_codes import AppCodes
from .recovery_codes import RecoveryCodes
from .steps import AppStep
from .steps import PasskeyStep
from .steps import Steps
from .steps import check_step

#: Arguments for :class:`flask_security.Security`.
PARTS: dict[str, Any] = {
    "totp_cls": AppCodes,
    "mf_recovery_codes_util_cls": RecoveryCodes,
    "webauthn_util_cls": passkeys.PasskeyRules,
    "two_factor_verify_code_form": forms.CodeForm,
    "two_factor_setup_form": forms.SetupForm,
    "two_factor_select_form": forms.FactorForm,
    "two_factor_rescue_form": forms.HelpForm,
    "mf_recovery_form": forms.RecoveryCodeForm,
    "verify_form": forms.AgainForm,
    "wan_register_form": passkeys.NewPasskeyForm,
    "wan_register_response_form": passkeys.CreatedPasskeyForm,
    "wan_signin_response_form": passkeys.UsedPasskeyForm,
    "wan_delete_form": passkeys.PasskeyDeletionForm,
}

#: Flask-Security's pages on which a user changes their factors.
FOR_USERS = (
    *("two_factor_setup", "two_factor_setup_validate", "mf_recovery_codes"),
    *("wan_register", "wan_register_response", "wan_delete", "wan_verify", "wan_verify_response"),
)


def options(app: Flask) -> dict[str, Any]:
    """Translate our configuration into Flask-Security's."""
    totp = app.config["ACCOUNTS_TOTP"]
    known = app.config["ACCOUNTS_PASSKEYS"]
    steps = {"code": (AppStep, totp), "webauthn": (PasskeyStep, known)}
    chosen = {
        "TWO_FACTOR": totp,
        "TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "TWO_FACTOR_IMPLEMENTATIONS": {
            name: f"{step.__module__}.{step.__name__}" for name, (step, is_on) in steps.items() if is_on
        },
        "TWO_FACTOR_AUTHENTICATOR_VALIDITY": WINDOW_SECONDS,
        "TWO_FACTOR_RESCUE_EMAIL": False,
        "TWO_FACTOR_SETUP_WITHIN": timedelta(minutes=15),
        "TWO_FACTOR_POST_SETUP_VIEW": "accounts.second_factor",
        "TWO_FACTOR_SETUP_URL": "/authenticator",
        "TWO_FACTOR_TOKEN_VALIDATION_URL": "/sign-in/code",
        "TWO_FACTOR_RESCUE_URL": "/sign-in/help",
        "TWO_FACTOR_SELECT_URL": "/sign-in/second-factor",
        "TWO_FACTOR_SETUP_TEMPLATE": "accounts/authenticator.html",
        "TWO_FACTOR_VERIFY_CODE_TEMPLATE": "accounts/code.html",
        "TWO_FACTOR_SELECT_TEMPLATE": "accounts/factor.html",
        "TOTP_SECRETS": derive(app, USE),
        "TOTP_ISSUER": settings.SITE_NAME,
        "MULTI_FACTOR_RECOVERY_CODES": totp or known,
        "MULTI_FACTOR_RECOVERY_CODES_URL": "/recovery-codes",
        "MULTI_FACTOR_RECOVERY_CODES_TEMPLATE": "accounts/recovery_codes.html",
        "MULTI_FACTOR_RECOVERY_URL": "/sign-in/recovery-code",
        "MULTI_FACTOR_RECOVERY_TEMPLATE": "accounts/recovery_code.html",
        "WEBAUTHN": known,
        "WAN_RP_NAME": settings.SITE_NAME,
        "WAN_REGISTER_WITHIN": timedelta(minutes=5),
        "WAN_REGISTER_URL": "/passkeys",
        "WAN_DELETE_URL": "/passkeys/delete",
        "WAN_SIGNIN_URL": "/sign-in/passkey",
        "WAN_VERIFY_URL": "/verify/passkey",
        "WAN_REGISTER_TEMPLATE": "accounts/passkeys.html",
        "WAN_SIGNIN_TEMPLATE": "accounts/passkey_sign_in.html",
        "WAN_VERIFY_TEMPLATE": "accounts/passkey_verify.html",
        # A hint would reveal who has an account, and who of them a passkey.
        "WAN_ALLOW_USER_HINTS": False,
        "WAN_ALLOW_AS_VERIFY": ["first"],
        "VERIFY_TEMPLATE": "accounts/verify.html",
        # A user who changes a factor has authenticated within this time; no page prolongs it.
        "FRESHNESS": timedelta(minutes=15),
        "FRESHNESS_GRACE_PERIOD": timedelta(0),
    }
    return {f"SECURITY_{name}": value for name, value in chosen.items()}


def init_app(app: Flask) -> None:
    """Give Flask-Security's pages what they show beyond it."""
    security = app.extensions["security"]
    app.before_request_funcs.setdefault("security", []).append(check_step)
    security.two_factor_plugins = Steps(security.two_factor_plugins)
    security.wan_register_context_processor(lambda: {"passkeys": current_user.webauthn})

"""Flask-Security's messages in this platform's words; the others stay as they are."""

#: Effect of a changed password, app or passkey on other sessions.
ENDED = "other browsers are signed out"

#: Its name for a message → the text, and how it looks (`app/templates/_alerts.html`).
MESSAGES = {
    "GENERIC_AUTHN_FAILED": ("The address or the password is wrong, or the account cannot be used.", "error"),
    "EMAIL_NOT_PROVIDED": ("Enter your email address.", "error"),
    "INVALID_EMAIL_ADDRESS": ("This is not an email address.", "error"),
    "PASSWORD_NOT_PROVIDED": ("Enter a password.", "error"),
    "INVALID_PASSWORD": ("The password is wrong.", "error"),
    "RETYPE_PASSWORD_MISMATCH": ("The two passwords are not the same.", "error"),
    "PASSWORD_IS_THE_SAME": ("This is the password that you have. Choose another one.", "error"),
    "REAUTHENTICATION_REQUIRED": ("Enter your password once more before you go on.", "info"),
    "REAUTHENTICATION_SUCCESSFUL": ("Thank you. You can go on.", "success"),
    "CONFIRM_REGISTRATION": (
        "We have sent a mail to %(email)s. Follow the link in it to choose your password.",
        "success",
    ),
    "CONFIRMATION_REQUEST": ("If an account waits to be confirmed, we have sent a link to %(email)s.", "info"),
    "EMAIL_CONFIRMED": ("Your address is confirmed. You can sign in now.", "success"),
    "ALREADY_CONFIRMED": ("The address is confirmed already. You can sign in.", "info"),
    "INVALID_CONFIRMATION_TOKEN": ("This link is not valid. Ask for another one.", "error"),
    "CONFIRMATION_EXPIRED": ("This link was good for %(within)s. Ask for another one.", "error"),
    "PASSWORD_RESET_REQUEST": ("If there is an account with the address %(email)s, we have sent it a link.", "info"),
    "INVALID_RESET_PASSWORD_TOKEN": ("This link is not valid, or was used already. Ask for another one.", "error"),
    "PASSWORD_RESET_EXPIRED": ("This link was good for %(within)s. Ask for another one.", "error"),
    "PASSWORD_RESET_NO_LOGIN": ("Your password is set. Sign in with it; access tokens stay.", "success"),
    "PASSWORD_CHANGE": (f"Your password is changed; {ENDED}, access tokens stay.", "success"),
    "CHANGE_EMAIL_SENT": ("We have sent a mail to %(email)s. Follow the link in it to change the address.", "info"),
    "CHANGE_EMAIL_CONFIRMED": ("Your address is changed.", "success"),
    "CHANGE_EMAIL_EXPIRED": ("This link was good for %(within)s. Ask for another one.", "error"),
    # Only a link says it, as long as no JSON is taken and a passkey's forms have words of their own.
    "API_ERROR": ("This link is not valid. Ask for another one.", "error"),
    "INVALID_REDIRECT": ("The page to go on to is not on this site.", "error"),
    "TWO_FACTOR_INVALID_TOKEN": ("This code is not valid. Nothing has changed: try again.", "error"),
    "TWO_FACTOR_LOGIN_SUCCESSFUL": ("You are signed in.", "success"),
    "TWO_FACTOR_CHANGE_METHOD_SUCCESSFUL": (f"Signing in asks for a code of your app now; {ENDED}.", "success"),
    "TWO_FACTOR_PERMISSION_DENIED": ("Sign in with your password first.", "error"),
    "TWO_FACTOR_DISABLED": (f"Signing in does not ask for a code of the app any more; {ENDED}.", "success"),
    "TWO_FACTOR_SETUP_EXPIRED": ("That took longer than %(within)s. Start again.", "error"),
    "INVALID_RECOVERY_CODE": ("This is not one of your unused recovery codes.", "error"),
    "WEBAUTHN_EXPIRED": ("That took longer than %(within)s. Start again.", "error"),
    "WEBAUTHN_NAME_INUSE": ("You have a passkey “%(name)s” already.", "error"),
    "WEBAUTHN_NAME_NOT_FOUND": ("You have no passkey “%(name)s”.", "error"),
    "WEBAUTHN_CREDENTIAL_DELETED": (
        f"The passkey “%(name)s” does not open this account any more; {ENDED}.",
        "success",
    ),
    "WEBAUTHN_REGISTER_SUCCESSFUL": (f"The passkey “%(name)s” is ready; {ENDED}.", "success"),
    "WEBAUTHN_CREDENTIAL_ID_INUSE": ("This passkey belongs to an account already.", "error"),
    "WEBAUTHN_UNKNOWN_CREDENTIAL_ID": ("This passkey is not known here.", "error"),
    "WEBAUTHN_MISMATCH_USER_HANDLE": ("This passkey belongs to another account.", "error"),
    "WEBAUTHN_CREDENTIAL_WRONG_USAGE": ("This passkey was not registered for this use.", "error"),
    "WEBAUTHN_NO_VERIFY": ("The passkey could not be verified.", "error"),
}

#: The subjects of its mails.
SUBJECTS = {
    "EMAIL_SUBJECT_REGISTER": "Your account",
    "EMAIL_SUBJECT_CONFIRM": "Confirm your email address",
    "EMAIL_SUBJECT_PASSWORD_RESET": "Choose a new password",
    "EMAIL_SUBJECT_PASSWORD_NOTICE": "Your password was changed",
    "EMAIL_SUBJECT_PASSWORD_CHANGE_NOTICE": "Your password was changed",
    "CHANGE_EMAIL_SUBJECT": "Confirm your new email address",
}

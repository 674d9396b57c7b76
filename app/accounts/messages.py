"""Flask-Security's messages in this platform's words; the others stay as they are. It translates them itself."""

from core.fields.messages import Message

#: Its name for a message → the text, and how it looks (`app/templates/_alerts.html`).
MESSAGES = {
    "GENERIC_AUTHN_FAILED": (Message("The address or the password is wrong, or the account cannot be used."), "error"),
    "EMAIL_NOT_PROVIDED": (Message("Enter your email address."), "error"),
    "INVALID_EMAIL_ADDRESS": (Message("This is not an email address."), "error"),
    "PASSWORD_NOT_PROVIDED": (Message("Enter a password."), "error"),
    "INVALID_PASSWORD": (Message("The password is wrong."), "error"),
    "RETYPE_PASSWORD_MISMATCH": (Message("The two passwords are not the same."), "error"),
    "PASSWORD_IS_THE_SAME": (Message("This is the password that you have. Choose another one."), "error"),
    "REAUTHENTICATION_REQUIRED": (Message("Enter your password once more before you go on."), "info"),
    "REAUTHENTICATION_SUCCESSFUL": (Message("Thank you. You can go on."), "success"),
    "CONFIRM_REGISTRATION": (
        Message("We have sent a mail to %(email)s. Follow the link in it to choose your password."),
        "success",
    ),
    "CONFIRMATION_REQUEST": (Message("If an account waits to be confirmed, we have sent a link to %(email)s."), "info"),
    "EMAIL_CONFIRMED": (Message("Your address is confirmed. You can sign in now."), "success"),
    "ALREADY_CONFIRMED": (Message("The address is confirmed already. You can sign in."), "info"),
    "INVALID_CONFIRMATION_TOKEN": (Message("This link is not valid. Ask for another one."), "error"),
    "CONFIRMATION_EXPIRED": (Message("This link was good for %(within)s. Ask for another one."), "error"),
    "PASSWORD_RESET_REQUEST": (
        Message("If there is an account with the address %(email)s, we have sent it a link."),
        "info",
    ),
    "INVALID_RESET_PASSWORD_TOKEN": (
        Message("This link is not valid, or was used already. Ask for another one."),
        "error",
    ),
    "PASSWORD_RESET_EXPIRED": (Message("This link was good for %(within)s. Ask for another one."), "error"),
    "PASSWORD_RESET_NO_LOGIN": (Message("Your password is set. Sign in with it; access tokens stay."), "success"),
    "PASSWORD_CHANGE": (
        Message("Your password is changed; other browsers are signed out, access tokens stay."),
        "success",
    ),
    "CHANGE_EMAIL_SENT": (
        Message("We have sent a mail to %(email)s. Follow the link in it to change the address."),
        "info",
    ),
    "CHANGE_EMAIL_CONFIRMED": (Message("Your address is changed."), "success"),
    "CHANGE_EMAIL_EXPIRED": (Message("This link was good for %(within)s. Ask for another one."), "error"),
    # Only a link says it, as long as no JSON is taken and a passkey's forms have words of their own.
    "API_ERROR": (Message("This link is not valid. Ask for another one."), "error"),
    "INVALID_REDIRECT": (Message("The page to go on to is not on this site."), "error"),
    "TWO_FACTOR_INVALID_TOKEN": (Message("This code is not valid. Nothing has changed: try again."), "error"),
    "TWO_FACTOR_LOGIN_SUCCESSFUL": (Message("You are signed in."), "success"),
    "TWO_FACTOR_CHANGE_METHOD_SUCCESSFUL": (
        Message("Signing in asks for a code of your app now; other browsers are signed out."),
        "success",
    ),
    "TWO_FACTOR_PERMISSION_DENIED": (Message("Sign in with your password first."), "error"),
    "TWO_FACTOR_DISABLED": (
        Message("Signing in does not ask for a code of the app any more; other browsers are signed out."),
        "success",
    ),
    "TWO_FACTOR_SETUP_EXPIRED": (Message("That took longer than %(within)s. Start again."), "error"),
    "INVALID_RECOVERY_CODE": (Message("This is not one of your unused recovery codes."), "error"),
    "WEBAUTHN_EXPIRED": (Message("That took longer than %(within)s. Start again."), "error"),
    "WEBAUTHN_NAME_INUSE": (Message("You have a passkey “%(name)s” already."), "error"),
    "WEBAUTHN_NAME_NOT_FOUND": (Message("You have no passkey “%(name)s”."), "error"),
    "WEBAUTHN_CREDENTIAL_DELETED": (
        Message("The passkey “%(name)s” does not open this account any more; other browsers are signed out."),
        "success",
    ),
    "WEBAUTHN_REGISTER_SUCCESSFUL": (
        Message("The passkey “%(name)s” is ready; other browsers are signed out."),
        "success",
    ),
    "WEBAUTHN_CREDENTIAL_ID_INUSE": (Message("This passkey belongs to an account already."), "error"),
    "WEBAUTHN_UNKNOWN_CREDENTIAL_ID": (Message("This passkey is not known here."), "error"),
    "WEBAUTHN_MISMATCH_USER_HANDLE": (Message("This passkey belongs to another account."), "error"),
    "WEBAUTHN_CREDENTIAL_WRONG_USAGE": (Message("This passkey was not registered for this use."), "error"),
    "WEBAUTHN_NO_VERIFY": (Message("The passkey could not be verified."), "error"),
}

#: The subjects of its mails.
SUBJECTS = {
    "EMAIL_SUBJECT_REGISTER": Message("Your account"),
    "EMAIL_SUBJECT_CONFIRM": Message("Confirm your email address"),
    "EMAIL_SUBJECT_PASSWORD_RESET": Message("Choose a new password"),
    "EMAIL_SUBJECT_PASSWORD_NOTICE": Message("Your password was changed"),
    "EMAIL_SUBJECT_PASSWORD_CHANGE_NOTICE": Message("Your password was changed"),
    "CHANGE_EMAIL_SUBJECT": Message("Confirm your new email address"),
}

"""Encrypted columns: the keys of authenticator apps."""

from core.fields.encryption import EncryptedColumn

from .factors import app_codes
from .models import User

COLUMNS = (EncryptedColumn(User.tf_totp_secret, app_codes.of_an_earlier_key, app_codes.reencrypted),)

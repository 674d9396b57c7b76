"""Uploads: checks files by their content, and never shows them as pages of the site.

.. code-block:: python

    photo = check_upload(request.files["photo"], ["image/jpeg", "image/png"], max_bytes=500_000)
    …
    return send_upload(photo)

Neither the name that the sender gives nor the type that the browser guesses from it counts: both are whatever
are needed. Where the bytes are kept is the business of the module that takes them.
"""

from flask import Blueprint

from .contents import KINDS
from .contents import SANDBOX
from .contents import Upload
from .contents import check_upload
from .contents import safe_name
from .contents import send_upload
from .validators import UploadOf

bp = Blueprint("uploads", __name__)

__all__ = ["KINDS", "SANDBOX", "Upload", "UploadOf", "bp", "check_upload", "safe_name", "send_upload"]

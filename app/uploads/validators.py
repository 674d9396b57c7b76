"""The validator of a form's file field."""

from typing import Any

from wtforms import ValidationError

from core.exceptions import Invalid

from .contents import check_upload


class UploadOf:
    """Takes files of some kinds, by their content; the field's ``data`` is then the checked ``Upload``.

    :param kinds: media types of :data:`app.uploads.KINDS`
    """

    def __init__(self, *kinds: str, max_bytes: int) -> None:
        self.kinds = kinds
        self.max_bytes = max_bytes

    def __call__(self, form: Any, field: Any) -> None:
        """Check the file; that none was sent is a matter for ``FileRequired``."""
        if not field.data:
            return
        try:
            field.data = check_upload(field.data, self.kinds, self.max_bytes)
        except Invalid as error:
            raise ValidationError(" ".join(text for texts in error.errors.values() for text in texts)) from error

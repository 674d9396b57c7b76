"""The content of files that are sent: which kind it is, and how it is given back."""

import io
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

import puremagic
from flask import Response
from flask import send_file
from flask_babel import format_decimal
from flask_babel import gettext
from werkzeug.datastructures import FileStorage

from core.exceptions import Invalid
from core.http.headers import data_is_kept
from core.http.json import load_strictly

#: The kinds that can be recognized by their content, with the endings that their names may have. No HTML and no SVG:
#: both run scripts.
KINDS = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "application/pdf": (".pdf",),
    "application/json": (".json",),
    "text/csv": (".csv",),
    "text/plain": (".txt", ".md", ".log"),
}

#: As long as every file system takes, in UTF-8 too.
MOST_CHARACTERS = 60

#: A file that is opened by its URL is a document without scripts, without an origin, and without anything to load.
SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"

#: Markup that a guessing browser takes for a page (WHATWG MIME Sniffing, section 7.1); puremagic finds less.
_MARKUP = re.compile(r"\ufeff?\s*<[a-zA-Z/!?]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Upload:
    """A file that is what it says.

    :param name: safe on every system; its ending is one of the kind's
    :param kind: a media type of :data:`KINDS`
    """

    name: str
    kind: str
    content: bytes


def check_upload(file: FileStorage, kinds: Collection[str], max_bytes: int) -> Upload:
    """Read a file that was sent, and hold it to what may be sent.

    :param kinds: media types of :data:`KINDS`
    :raises Invalid: if it is empty, too large or of another kind, for the field that it was sent in
    """
    unknown = set(kinds) - KINDS.keys()
    if unknown:
        raise ValueError(f"{sorted(unknown)} cannot be recognized by the content: choose from {', '.join(KINDS)}.")
    content = file.stream.read(max_bytes + 1)
    if not content:
        raise _refusal(file, gettext("The file is empty."))
    if len(content) > max_bytes:
        raise _refusal(
            file, gettext("The file is larger than %(max_bytes)s bytes.", max_bytes=format_decimal(max_bytes))
        )
    kind = next((kind for kind in KINDS if kind in kinds and _is(kind, content)), None)
    if kind is None:
        raise _refusal(file, gettext("The file's content is none of %(kinds)s.", kinds=", ".join(kinds)))
    return Upload(safe_name(file.filename or "", kind), kind, content)


def send_upload(upload: Upload) -> Response:
    """Give a file back, to be saved and not to be shown: what it contains must not run as if it were ours."""
    response = send_file(io.BytesIO(upload.content), upload.kind, as_attachment=True, download_name=upload.name)
    response.headers["Content-Security-Policy"] = SANDBOX
    response.headers["Cache-Control"] = data_is_kept()
    return response


def safe_name(name: str, kind: str) -> str:
    """Return a name for a file of this kind, as near to the sender's as is safe.

    No folders, no control characters, nothing that a shell, Windows or a header would take for more than a letter.
    """
    name = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    stem, _, ending = name.rpartition(".")
    ending = f".{ending.lower()}"
    if ending not in KINDS[kind]:
        stem, ending = name, KINDS[kind][0]
    stem = re.sub(r"[^\w-]+", "_", stem)[:MOST_CHARACTERS].strip("_-")
    # Names that Windows takes for a device, whatever the ending.
    is_device = re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", stem)
    return f"{'file' if not stem or is_device else stem}{ending}"


def _refusal(file: FileStorage, message: str) -> Invalid:
    return Invalid({file.name or "": [message]})


def _is(kind: str, content: bytes) -> bool:
    if not kind.startswith("text/") and kind != "application/json":
        return kind in _signatures(content)
    # Texts have no signature: they are what is text, and no markup.
    try:
        text = content.decode()
        if kind == "application/json":
            load_strictly(content)
    except ValueError:
        return False
    return _CONTROL.search(text) is None and _MARKUP.match(text) is None


def _signatures(content: bytes) -> set[str]:
    """Return what the first bytes say; what the last ones say is easily appended to anything."""
    try:
        return {match.mime_type for match in puremagic.magic_string(content) if match.offset == 0}
    except puremagic.PureError:
        return set()

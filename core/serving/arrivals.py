"""The arrival of a request: bytes in, and whether a thread would have to wait for more.

No parser: gunicorn's decides what a request is. What is read here of a head only says for how long to wait, so that
a mistake costs time, and nothing else.
"""

import re
import time

#: So much of one request is gathered before a thread is given to it; what is longer it reads itself.
MOST_BYTES = 1024 * 1024 + 64 * 1024

#: A client that is slower uses its patience up.
BYTES_A_SECOND = 8192

#: Of the line before a chunk.
_LONGEST_LINE = 8192

#: Of a length; Python reads no number of thousands of digits.
_MOST_DIGITS = 15

_BODY = re.compile(rb"\r\n(?:content-length:[ \t]*0*(?P<length>[0-9]*)[ \t]*|transfer-encoding:[^\r\n]*)(?=\r\n)", re.I)
# In a request of HTTP/1.0 it means nothing.
_EXPECTS = re.compile(rb"[^\r\n]+ HTTP/1\.[1-9]\r\n(?:[^\r\n]+\r\n)*?expect:[ \t]*100-continue[ \t]*\r\n", re.I)
_CHUNK = re.compile(rb"([0-9a-f]+)[ \t]*(?:;[^\r\n]*)?\r\n", re.I)


class Patience:
    """The time that a client still has: each byte earns time, waiting spends it.

    :param seconds: that there are at first, and at most
    """

    def __init__(self, seconds: float) -> None:
        self.most = self.left = seconds

    def earn(self, size: int) -> None:
        """Note that so many bytes have passed."""
        self.left = min(self.most, self.left + size / BYTES_A_SECOND)

    def spend(self, seconds: float) -> None:
        """Note that so long was waited."""
        self.left -= seconds


class Arrival:
    """The received part of the next request of a connection.

    :param seconds: of patience
    """

    def __init__(self, seconds: float, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self._patience = Patience(seconds)
        self._since = time.monotonic()
        #: Where the head ends; 0 while it is not all there.
        self.head = 0
        #: Where the body ends, or for a chunked one its next chunk begins.
        self._end = 0
        self._is_chunked = False
        self._looked = 0

    def add(self, data: bytes) -> None:
        """Take what has come."""
        now = time.monotonic()
        self._patience.spend(now - self._since)
        self._patience.earn(len(data))
        self._since = now
        self.data += data

    def waits(self, now: float) -> float:
        """Return for how long nothing has come."""
        return now - self._since

    def is_late(self, now: float) -> bool:
        """Return whether its time is up."""
        return self.waits(now) >= self._patience.left

    @property
    def is_whole(self) -> bool:
        """Return whether a thread need not wait for any of it; a malformed or too long request is for a thread too."""
        if not self.head:
            self._find_head()
        if len(self.data) >= MOST_BYTES:
            return True
        return bool(self.head) and (self._has_chunks() if self._is_chunked else len(self.data) >= self._end)

    @property
    def _start(self) -> int:
        # One empty line before a request is none (RFC 9112, section 2.2).
        return 2 if self.data.startswith(b"\r\n") else 0

    @property
    def expects_continue(self) -> bool:
        """Return whether its sender waits for ``100 Continue`` before the body (RFC 9110, section 10.1.1)."""
        return bool(self.head) and len(self.data) == self.head and bool(_EXPECTS.match(self.data, self._start))

    def _find_head(self) -> None:
        found = self.data.find(b"\r\n\r\n", max(self._start, self._looked - 3))
        if found < 0:
            self._looked = len(self.data)
            return
        self.head, self._looked = found + 4, 0
        self._end = self.head
        for body in _BODY.finditer(self.data, self._start, found + 2):
            self._is_chunked = self._is_chunked or body["length"] is None
            self._end = self.head + _length(body["length"] or b"")
        if self._is_chunked:
            self._end = self.head

    def _has_chunks(self) -> bool:
        while len(self.data) > self._end:
            line = _CHUNK.match(self.data, self._end)
            if line is None:
                return b"\n" in self.data[self._end :] or len(self.data) - self._end > _LONGEST_LINE
            size = int(line[1], 16)
            if not size:
                # After the last chunk come trailers, and an empty line.
                begun, self._looked = max(line.end() - 2, self._looked - 3), len(self.data)
                return self.data.find(b"\r\n\r\n", begun) >= 0
            self._end = line.end() + size + 2
        return False


def _length(digits: bytes) -> int:
    """Return a length; for more digits than any body has, one that none has."""
    return int(digits or b"0") if len(digits) <= _MOST_DIGITS else MOST_BYTES

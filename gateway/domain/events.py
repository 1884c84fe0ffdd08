"""Server-sent events in a body that comes in chunks of any size: where each begins.

An event is what a client dispatches: a block of lines with a `data` field, up to an empty line.
Comments, and blocks without data (`retry: 3000`), are none. A block's first lines wait until its
`data` shows that it is an event: cut before them, a client hears nothing of it, its id included.
Comments between blocks wait for nothing, they keep connections alive.
"""

HELD_BYTES_MAX = 16 * 1024
"""Of a block without data; one that is longer counts as an event."""

BOM = b"\xef\xbb\xbf"
FIELD = b"data"
TELLING_BYTES = len(BOM + FIELD + b":")  # Of a line, to know what it is.


class EventSplitter:
    def __init__(self) -> None:
        self._held = bytearray()
        self._line = b""
        """How the line begins that is not whole yet."""
        self._in_event = False
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """What may go on, in parts: the first begins no event, each of the others one."""
        parts = [bytearray()]
        if self._after_cr and chunk.startswith(b"\n"):
            (self._held or parts[0]).extend(b"\n")  # The rest of that line's end.
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        for piece in chunk.splitlines(keepends=True):
            self._take(piece, parts)
        return [bytes(part) for part in parts]

    def finish(self) -> bytes:
        """At the body's end: what is still held back; without an end it is no event."""
        rest, self._held = bytes(self._held), bytearray()
        return rest

    def _take(self, piece: bytes, parts: list[bytearray]) -> None:
        """A line, or what has come of it."""
        text = piece.rstrip(b"\r\n")
        is_whole = len(text) < len(piece)
        self._line += text[:TELLING_BYTES]
        line = self._line.removeprefix(BOM) if self._at_start else self._line
        if self._in_event:
            parts[-1] += piece
            self._in_event = bool(line) or not is_whole
        elif is_whole and not line:
            parts[-1] += self._held + piece
            self._held.clear()
        elif line.startswith(b":") and (self._at_start or not self._held):
            parts[-1] += self._held + piece  # Held is at most a byte order mark.
            self._held.clear()
        else:
            self._held += piece
            begins = line.startswith(FIELD + b":") or (is_whole and line == FIELD)
            if begins or len(self._held) > HELD_BYTES_MAX:
                parts.append(self._held)
                self._held, self._in_event = bytearray(), True
        if is_whole:
            self._line, self._at_start = b"", False

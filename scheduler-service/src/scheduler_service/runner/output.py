"""What a run prints, up to a limit."""

MOST_LOG = 1024 * 1024
MOST_REPORT = 1024 * 1024 + 64 * 1024
NOTE = b"\n[the log is cut off here: it was longer than %d bytes]\n"


class Output:
    """Keeps the first ``limit`` bytes, and knows that there were more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self.is_cut = False

    def add(self, piece: bytes) -> None:
        """Keep what there is room for."""
        room = self._limit - len(self._kept)
        self.is_cut = self.is_cut or len(piece) > room
        self._kept += piece[:room]

    def __bytes__(self) -> bytes:
        """Return what was kept."""
        return bytes(self._kept)

    def log(self) -> bytes:
        """Return what was kept as a log, which says when it is not all."""
        return bytes(self._kept) + (NOTE % self._limit if self.is_cut else b"")

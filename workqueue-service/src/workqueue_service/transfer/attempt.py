"""One attempt at one element: its log, its listing, its end."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from workqueue_service.transfer.copying import Copy
from workqueue_service.transfer.errors import Stopped, TransferError
from workqueue_service.transfer.listing import Directory
from workqueue_service.transfer.outcome import Listing, Outcome
from workqueue_service.transfer.work import Bundle, Element


class AttemptLog:
    """Lines ``<time> <domain> -- <stage> -- <text>`` for people (spec: workqueue 6.4), without secrets."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._lines: list[str] = []

    def add(self, domain: str, stage: str, text: str) -> None:
        """Append a line."""
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
        self._lines.append(f"{now} {domain} -- {stage} -- {' '.join(self._redact(text).split())}\n")

    def text(self) -> str:
        """Return the log so far."""
        return "".join(self._lines)


class Attempt:
    """Gathers what the report will say."""

    def __init__(self, element: Element, bundle: Bundle, redact: Callable[[str], str], host: str) -> None:
        self.element = element
        self.bundle = bundle
        self.error: TransferError | None = None
        self.listing: Listing | None = None
        self.uploaded = False
        self._log = AttemptLog(redact)
        self._domain = element.type.name.lower()
        target = f" to {element.dst_filepath}" if element.dst_filepath else ""
        size = f", {element.size} bytes" if element.is_file_copy else ""
        tries = f"attempt {element.number} of {element.max_tries} on {host}"
        self.note("start", f"{element.src_filepath}{target}{size}, {tries}")

    def note(self, stage: str, text: str) -> None:
        """Add a line to the log."""
        self._log.add(self._domain, stage, text)

    def guard(self, action: Callable[["Attempt"], None]) -> None:
        """Run ``action`` and keep its error."""
        try:
            action(self)
        except TransferError as error:
            self.error = error

    def copied(self, copy: Copy, kind: str | None) -> None:
        """Take over how a copy went."""
        self.error = copy.error
        if copy.skipped:
            self.note("skip", "an earlier attempt had already copied it")
        if copy.error is None:
            self.note("verify", f"size and {kind} are equal" if kind else "sizes are equal, no checksum in common")

    def counted(self, found: Iterator[Directory]) -> Iterator[Directory]:
        """Pass directories on, and note how many things were in them."""
        directories = entries = others = 0
        for directory in found:
            self.bundle.check()
            directories += 1
            entries += len(directory[1])
            others += sum(1 for entry in directory[1] if not (entry.is_file or entry.is_directory))
            yield directory
        self.note("end", f"{entries} entries in {directories} directories")
        if others:
            self.note("note", f"{others} links and special files are listed, but never copied")

    def outcome(self) -> Outcome:
        """Return the end of the attempt."""
        if self.error is not None and self.bundle.stopped is not None:
            self.error = Stopped(self.bundle.stopped)
        if self.error is not None:
            hope = "another attempt would fail too" if self.error.permanent else "another attempt may succeed"
            self.note("failed", f"{self.error.message} ({hope})")
        else:
            self.note("done", f"after {self.bundle.elapsed:.2f} s")
        return Outcome(
            self.element, self._log.text(), self.error, self.listing, self.uploaded, seconds=self.bundle.elapsed
        )


def pretend(attempt: Attempt) -> None:
    """Do nothing, successfully (spec: workqueue 10, Q36)."""
    path = attempt.element.src_filepath.rstrip("/") or "/"
    attempt.listing = {path: []}
    attempt.note("end", "a job of the protocol DUMMY touches nothing")

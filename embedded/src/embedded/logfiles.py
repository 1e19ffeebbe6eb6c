"""The log of a process: a file that begins anew with each run, and when it has grown large."""

import os
import shutil
from pathlib import Path

LARGEST = 8 * 2**20  # bytes


def rotate(log: Path) -> None:
    """Keep the log of the last run as `<log>.1`."""
    if log.exists():
        log.replace(before(log))


def shorten(log: Path, largest: int = LARGEST) -> bool:
    """Empty a log of more than `largest` bytes, after its content has become `<log>.1`; whether that was so.

    Its process goes on writing to the same file, to which it appends. What it writes between the copy and the
    emptying is lost: a few lines, once in many thousands.
    """
    if log.stat().st_size <= largest:
        return False
    shutil.copyfile(log, unfinished := log.with_name(log.name + ".new"))
    os.truncate(log, 0)
    unfinished.chmod(log.stat().st_mode & 0o777)
    unfinished.replace(before(log))
    return True


def before(log: Path) -> Path:
    """Where what a log held before is kept."""
    return log.with_name(log.name + ".1")


def last_words(log: Path, lines: int = 8) -> str:
    """The last lines of a log."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) or "(nothing)"

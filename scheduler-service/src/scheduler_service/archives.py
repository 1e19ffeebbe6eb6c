"""Looks into packages before they are kept: a bomb or a path that leads outside is refused, not stored."""

import io
import zipfile
from pathlib import PurePosixPath

from scheduler_service.refusals import refuse

MOST_BYTES = 32 * 2**20
MOST_UNPACKED = 48 * 2**20
MOST_FILES = 5_000
ENCRYPTED = 0x1


def check(content: bytes) -> None:
    """Raise 400 unless the content is a ZIP that a function can be unpacked from (spec: scheduler 5.2).

    What a ZIP says of its sizes may be a lie: the sandbox, where it is unpacked, has a limit of its own.
    """
    if len(content) > MOST_BYTES:
        raise refuse(f"Package is too large, at most {MOST_BYTES} bytes are accepted.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, EOFError):
        raise refuse("Package is not a valid ZIP package.") from None
    if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_UNPACKED:
        raise refuse(f"Package is too large, at most {MOST_FILES} files of {MOST_UNPACKED} bytes are accepted.")
    if any(entry.flag_bits & ENCRYPTED for entry in entries):
        raise refuse("Package is encrypted.")
    if any(_leads_outside(entry.filename) for entry in entries):
        raise refuse("Package holds a path that leads out of it.")


def _leads_outside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts

"""The number that tells two equal tasks (spec: tracker 5.4)."""

import struct
from collections.abc import Mapping
from typing import Any

import siphash24

# Key halves 1 and 2, each little-endian.
_KEY = struct.pack("<QQ", 1, 2)


class AmbiguousHash(ValueError):
    """A task has one hash: a number, or the hash of its unique string"""


def text_hash(text: str) -> int:
    """Return the SipHash-2-4 of a text as a signed 64-bit number (spec: tracker 17.1)."""
    return int.from_bytes(siphash24.siphash24(text.encode(), key=_KEY).digest(), "little", signed=True)


def stored_hash(task: Mapping[str, Any]) -> int | None:
    """Return the hash to store for a submitted task, ``None`` for a task that is never a duplicate.

    ``hash64`` and ``hash_u64`` are two names of one field (spec: tracker Q-31). Raises :class:`AmbiguousHash`.
    """
    number, documented, text = task["hash_u64"], task["hash64"], task["unique_string"]
    if number and documented and number != documented:
        raise AmbiguousHash
    number = number or documented
    if text:
        if number:
            raise AmbiguousHash
        number = text_hash(text)
    return number or None

"""The enumerations of the API, with the numbers that workers read (spec: workqueue 3.1)."""

from enum import IntEnum
from typing import Any, Self


class _Coercible(IntEnum):
    @classmethod
    def coerce(cls, value: Any) -> Self:
        """Return the member that a client means: number, digit string, or name in any case.

        Raises ``ValueError`` with the documented texts (spec: workqueue 4.2). JSON ``true`` and ``false`` are 1 and 0.
        """
        if isinstance(value, str):
            return cls._of_text(value)
        if isinstance(value, int):
            if value in cls._value2member_map_:
                return cls(value)
            raise ValueError(f"{value} is not a valid {cls.__name__}")
        raise ValueError(f"Failed to parse '{value}' to enum type '{cls.__name__}'")

    @classmethod
    def _of_text(cls, text: str) -> Self:
        if text.isascii() and text.isdigit():
            return cls.coerce(int(text[:9]))
        try:
            return cls[text.upper()]
        except KeyError:
            raise ValueError(f"'{text}' is not a valid {cls.__name__}") from None


class JobType(_Coercible):
    """What a job, or one element of it, does."""

    LIST = 0
    COPY = 1
    REMOVE = 2
    RENAME = 3
    MKDIR = 4


class JobProtocol(_Coercible):
    """What PDM clients ask for; the site's endpoint decides (spec: workqueue 6.8)."""

    GRIDFTP = 0
    SSH = 1
    DUMMY = 2


class JobStatus(_Coercible):
    """Of jobs and elements."""

    NEW = 0
    DONE = 1
    FAILED = 2
    SUBMITTED = 3
    RUNNING = 4

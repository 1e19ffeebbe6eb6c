"""What can go wrong in an attempt, and whether another attempt can help."""

import errno
import re


class TransferError(Exception):
    """The attempt failed; the message is written for the user and holds no secret."""

    permanent = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class TemporaryError(TransferError):
    """Another attempt may succeed: the network, a server or a disk was not ready."""


class PermanentError(TransferError):
    """No attempt can succeed until somebody changes the job, the site or the files."""

    permanent = True


class Stopped(TemporaryError):
    """The attempt was stopped from outside: cancelled, lease lost, out of time, or the worker ends."""


_PERMANENT = re.compile(
    r"""(object|directory|file|bucket|key|no\ such\ \w+)\ (was\ )?not\ found|no\ such\ (file|bucket|key)
    |permission\ denied|access\ ?denied|forbidden|\b40[1345]\b|does\ not\ exist|unauthori[sz]ed|unable\ to\ authenticate
    |login\ incorrect|incorrect\ password|not\ logged\ in
    |invalid\ ?access\ ?key|signature\ ?does\ ?not\ ?match|already\ exists|is\ a\ (directory|file\b)
    |not\ a\ directory|file\ ?name\ too\ long|directory\ not\ empty|not\ supported|doesn't\ support|read[- ]only
    |host\ key|knownhosts|unknown\ (backend|type)|didn't\ find\ backend|certificate""",
    re.IGNORECASE | re.VERBOSE,
)
_NOT_ALLOWED = "connection not allowed by ruleset"
"""What a refusal of the egress proxy becomes in rclone."""
_TEMPORARY = re.compile(r"no space left|quota|too many|timeout|timed out|deadline|reset by peer|refused", re.IGNORECASE)

_PERMANENT_ERRNOS = frozenset(
    {
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.EEXIST,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.ENOTEMPTY,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EROFS,
        errno.EXDEV,
        errno.EINVAL,
    }
)


def from_rclone(message: str) -> TransferError:
    """Return the error for a message of rclone; what is not known to be permanent is worth another attempt."""
    if _NOT_ALLOWED in message:
        return PermanentError("the address of the site is internal, and the operator does not allow it")
    if _PERMANENT.search(message) and not _TEMPORARY.search(message):
        return PermanentError(message)
    return TemporaryError(message)


def from_system(error: OSError, path: str) -> TransferError:
    """Return the error for a failed system call on ``path``, named as the user knows it."""
    message = f"{path}: {error.strerror or type(error).__name__}"
    return PermanentError(message) if error.errno in _PERMANENT_ERRNOS else TemporaryError(message)

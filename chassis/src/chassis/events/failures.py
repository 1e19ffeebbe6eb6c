"""What a failed delivery says: whose fault it was, and why."""

import re

import psycopg

from chassis.errors import Unavailable

# These end a statement because of what it does or touches, not because the server is away.
OWN_FAULT = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
LONGEST_REASON = 300
_CREDENTIALS = re.compile(r"//[^/@\s]*@")


def is_outage(error: BaseException) -> bool:
    """Whether something that every delivery needs is away, so that another try of the same can succeed."""
    cause = error.__cause__ if isinstance(error, Unavailable) else error
    away = isinstance(error, Unavailable | psycopg.OperationalError | psycopg.InterfaceError)
    return away and not isinstance(cause, OWN_FAULT)


def reason_of(error: BaseException) -> str:
    """Return class and message of an error, without row values and credentials."""
    if isinstance(error, Unavailable) and error.__cause__ is not None:
        error = error.__cause__
    text = error.diag.message_primary or "" if isinstance(error, psycopg.Error) else str(error)
    return f"{type(error).__name__}: {_CREDENTIALS.sub('//', text)}"[:LONGEST_REASON]

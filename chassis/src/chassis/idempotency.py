"""Creating requests that a client may send again without creating twice (DESIGN 11).

A view that creates something calls, when it knows who the caller is and before it reads the body::

    return once(caller, lambda: create(...))

With the header ``Idempotency-Key`` the same key with the same body gets the stored answer for 24 hours, with another
body 422, and 409 while the first request runs. Only answers that say "created" (2xx) are kept: what was refused
created nothing and may be sent again.

All that the view does with the database, the lock of the key and the stored answer are one transaction: a process that
dies has created nothing, and its key is free at once. So the view must not wait for what others do with its rows.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any, cast

import orjson
from flask import Flask, Response, current_app, request

from chassis.database import Database, Transaction
from chassis.errors import ApiError, Unavailable
from chassis.queries import Queries

sql = Queries.beside(__file__, "idempotency.sql")

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_SECONDS = 24 * 3600

_KEY = re.compile(r"[\x20-\x7e]{1,255}")

Seal = Callable[[bytes], bytes]
Unseal = Callable[[bytes], bytes | None]


def _as_is(data: bytes) -> bytes:
    return data


class Idempotency:
    """The keys and answers of one service.

    A service whose requests or answers hold secrets gives ``seal`` and ``unseal``, which encrypt what is stored;
    ``unseal`` returns ``None`` for what it cannot read.
    """

    def __init__(self, database: Database, seal: Seal = _as_is, unseal: Unseal = _as_is) -> None:
        self._database = database
        self._seal = seal
        self._unseal = unseal

    def once(self, caller: str, run: Callable[[], Response]) -> Response:
        """Return the answer of ``run``, or the stored one when ``caller`` has sent this very request before."""
        key = request.headers.get(HEADER)
        if key is None:
            return run()
        if not _KEY.fullmatch(key):
            raise ApiError(400, f"Invalid {HEADER}")
        place = hashlib.sha256(f"{request.method} {request.path}\0{caller}\0{key}".encode()).digest()
        return self._once(place, hashlib.sha256(_body()).digest(), run)

    def prune(self) -> None:
        """Delete answers that are no longer given."""
        self._database.execute(sql.prune, {"kept": KEPT_SECONDS})

    def _once(self, place: bytes, digest: bytes, run: Callable[[], Response]) -> Response:
        with self._database.joined() as tx:
            # A statement of its own: the next one must see what was committed before the lock was free.
            if not tx.value(sql.occupy, {"number": int.from_bytes(place[:8], signed=True)}):
                raise ApiError(409, f"A request with this {HEADER} still runs", headers={"Retry-After": "1"})
            if row := tx.one(sql.earlier, {"place": place, "kept": KEPT_SECONDS}):
                return self._again(row, digest)
            response = run()
            if 200 <= response.status_code < 300:
                self._keep(tx, place, digest, response)
        return response

    def _keep(self, tx: Transaction, place: bytes, digest: bytes, response: Response) -> None:
        row = {"place": place, "request": self._seal(digest), "answer": self._seal(_packed(response))}
        if not tx.execute(sql.keep, {**row, "kept": KEPT_SECONDS}):
            raise Unavailable("the answer's place")  # and undo what was created

    def _again(self, row: dict[str, Any], digest: bytes) -> Response:
        first, answer = self._unseal(row["request"]), self._unseal(row["answer"])
        if first is None or answer is None or not hmac.compare_digest(first, digest):
            raise ApiError(422, f"This {HEADER} was used with another body")
        return _unpacked(answer)


def install(app: Flask, idempotency: Idempotency) -> None:
    """Make :func:`once` work in the views of ``app``."""
    app.extensions["idempotency"] = idempotency


def once(caller: str, run: Callable[[], Response]) -> Response:
    """Run the rest of a creating view, at most once for each key of ``caller`` (see :class:`Idempotency`)."""
    return cast(Idempotency, current_app.extensions["idempotency"]).once(caller, run)


def _body() -> bytes:
    body = request.get_data()
    if request.content_length and not body:
        raise RuntimeError("the body was read before once() was called")
    return body


def _packed(response: Response) -> bytes:
    headers = [(name, value) for name, value in response.headers if name != "Content-Length"]
    return orjson.dumps([response.status_code, headers, response.get_data(as_text=True)])


def _unpacked(answer: bytes) -> Response:
    status, headers, body = orjson.loads(answer)
    response = Response(body, status)
    response.headers.clear()
    response.headers.extend([*map(tuple, headers), (REPLAYED, "true"), ("Content-Length", str(len(body.encode())))])
    return response

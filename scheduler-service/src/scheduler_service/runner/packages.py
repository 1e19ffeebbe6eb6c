"""The code of package functions, fetched once and kept for a while."""

import threading
from collections import OrderedDict

from chassis.database import Database
from chassis.queries import Queries

sql = Queries.beside(__file__, "packages.sql")

MOST_BYTES = 32 * 2**20

Key = tuple[str, int]


class PackageGone(Exception):
    """The function, or its version, was removed meanwhile"""


class Packages:
    """Keeps the packages that were used last, as long as their checksum in the database is theirs."""

    def __init__(self, database: Database, most_bytes: int = MOST_BYTES) -> None:
        self._database = database
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[str, bytes]] = OrderedDict()

    def get(self, function_id: str, version: int) -> bytes:
        """Return a ZIP; raise :class:`PackageGone`. Never that of another function, whatever checksums collide."""
        key = (function_id, version)
        checksum = self._database.value(sql.checksum, {"id": function_id, "version": version})
        with self._lock:
            if key in self._kept and self._kept[key][0] == checksum:
                self._kept.move_to_end(key)
                return self._kept[key][1]
        row = self._database.one(sql.package, {"id": function_id, "version": version})
        if row is None:
            raise PackageGone
        self._keep(key, row["md5sum"], bytes(row["content"]))
        return bytes(row["content"])

    def _keep(self, key: Key, checksum: str, content: bytes) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (checksum, content)
            while sum(len(content) for _, content in self._kept.values()) > self._most_bytes:
                self._kept.popitem(last=False)

"""Sites on other machines, reached through rclone."""

from collections.abc import Iterator, Sequence
from typing import Any

from workqueue_service.transfer import paths
from workqueue_service.transfer.endpoints import PASSWORD_OPTIONS, Endpoint
from workqueue_service.transfer.entries import Entry, of_rclone, top
from workqueue_service.transfer.errors import PermanentError, TemporaryError, TransferError
from workqueue_service.transfer.rc import Json
from workqueue_service.transfer.rclone import Rclone
from workqueue_service.transfer.storage import Spot

BATCH = 16
SMALL = 1024 * 1024
# What rclone says after it has found files that it must not replace; the second after other failures as well.
DIFFERS, SOME_FAILED = "immutable file modified", "not deleting directories as there were IO errors"
CHEAP_TO_NAME = frozenset({"sftp", "ftp"})
LISTING = {"noMimeType": True}
# Otherwise an object store is asked about every single object of a listing.
FAST_TIMES = {"UseServerModTime": True}


class Obscurer:
    """Brings passwords into rclone's form, each always into the same one, so that connections can be used again."""

    def __init__(self, rclone: Rclone) -> None:
        self._rclone = rclone
        self._known: dict[str, str] = {}
        self._names: dict[str, frozenset[str]] = {}

    def __call__(self, endpoint: Endpoint) -> dict[str, str]:
        """Return the options of an endpoint with the passwords among them obscured."""
        if endpoint.obscured:
            return dict(endpoint.options)
        names = self._passwords(endpoint.options["type"]) if endpoint.transport == "rclone" else PASSWORD_OPTIONS
        return {name: self._obscured(value) if name in names else value for name, value in endpoint.options.items()}

    def _passwords(self, kind: str) -> frozenset[str]:
        if not self._names:
            for provider in self._rclone.rc().call("config/providers", {})["providers"]:
                names = frozenset(option["Name"] for option in provider["Options"] if option["IsPassword"])
                self._names[provider["Name"]] = self._names[provider["Prefix"]] = names
        return self._names.get(kind, frozenset())

    def _obscured(self, clear: str) -> str:
        if clear not in self._known:
            if len(self._known) > 1000:
                self._known.clear()
            self._known[clear] = str(self._rclone.rc().call("core/obscure", {"clear": clear})["obscured"])
        return self._known[clear]


class RemoteStorage:
    """A site that rclone reaches. Its calls belong to ``group``, so that they can be stopped together."""

    def __init__(
        self, rclone: Rclone, obscure: Obscurer, endpoint: Endpoint, home: str | None, group: str, seconds: float
    ) -> None:
        self._rclone = rclone
        self._endpoint = endpoint
        self._fs = {**obscure(endpoint), "_root": endpoint.root}
        self._home = home
        self._common = {"_group": group}
        self._seconds = seconds

    def stat(self, path: str) -> Entry | None:
        """Return what stands at ``path`` or ``None``."""
        spot = self._spot(path)
        if not spot.remote:
            return top()
        item = self._call("operations/stat", spot.plain() | {"opt": LISTING, "_config": FAST_TIMES})["item"]
        return of_rclone(item) if item else None

    def stats(self, paths: Sequence[str]) -> list[Entry | None]:
        """Return the files that stand at ``paths``; directories are not looked for, which is far cheaper."""
        opt = LISTING | {"filesOnly": True}
        items = self._batch(
            "operations/stat", [self._spot(path).plain() | {"opt": opt, "_config": FAST_TIMES} for path in paths]
        )
        return [of_rclone(answer["item"]) if answer["item"] else None for answer in items]

    def directories(self, paths: Sequence[str]) -> Iterator[list[Entry]]:
        """Return the entries of each of several directories, several asked for at once."""
        for start in range(0, len(paths), BATCH):
            answers = self._batch(
                "operations/list",
                [
                    self._spot(path).plain() | {"opt": LISTING, "_config": FAST_TIMES}
                    for path in paths[start : start + BATCH]
                ],
            )
            for answer in answers:
                yield sorted((of_rclone(item) for item in answer["list"]), key=lambda entry: entry.name)

    def remove_file(self, path: str) -> None:
        """Remove one file."""
        self._call("operations/deletefile", self._changing(path).plain())

    def remove_directory(self, path: str) -> None:
        """Remove one empty directory."""
        self._call("operations/rmdir", self._with_directories(self._changing(path)).plain())

    def make_directory(self, path: str, mode: int) -> None:
        """Make a directory and those above it; rclone has no way to set ``mode``."""
        self._call("operations/mkdir", self._with_directories(self._changing(path)).plain())

    def rename(self, source: str, destination: str, *, again: bool = False) -> None:
        """Give a file or directory another name, at the server when it can."""
        found = self.stat(source)
        if found is None:
            raise PermanentError(f"{source}: No such file or directory")
        old, new = self._changing(source), self._changing(destination)
        if new.remote.startswith(f"{old.remote}/"):
            raise PermanentError(f"{destination}: lies in what is to be renamed")
        is_begun = self.stat(destination) is not None
        if is_begun and not (again and self._renames_in_steps(found)):
            raise PermanentError(f"{destination}: already exists")
        if found.is_directory:
            self._move_directory(old, new, destination, is_begun=is_begun)
        elif not is_begun:
            self._call("operations/movefile", old.as_("src") | new.as_("dst") | {"_config": {"IgnoreTimes": True}})
        elif self._checksums(old) == self._checksums(new):
            self._call("operations/deletefile", old.plain())
        else:
            raise PermanentError(f"{destination}: already exists")

    def _renames_in_steps(self, entry: Entry) -> bool:
        """Whether the storage copies and deletes instead, so that an interrupted attempt leaves some of both."""
        features = self._call("operations/fsinfo", {"fs": self._fs})["Features"]
        return not features["DirMove" if entry.is_directory else "Move"]

    def _move_directory(self, old: Spot, new: Spot, destination: str, *, is_begun: bool) -> None:
        """Move a tree; what an earlier attempt has moved is left, and what is there and differs is never replaced."""
        body: Json = {"srcFs": _rooted(old), "dstFs": _rooted(new), "createEmptySrcDirs": True}
        if is_begun:
            body["_config"] = {"CheckSum": True, "Immutable": True}
        try:
            self._call("sync/move", body | {"deleteEmptySrcDirs": True})
        except TransferError as error:
            if is_begun and DIFFERS in error.message:
                raise PermanentError(f"{destination}: already exists, with other files of the same names") from None
            if is_begun and SOME_FAILED in error.message:
                text = "something stays: other files of the same names are there, or the storage failed"
                raise TemporaryError(f"{destination}: {text}") from None
            raise

    def _checksums(self, spot: Spot) -> Any:
        option = LISTING | {"filesOnly": True, "showHash": True}
        item = self._call("operations/stat", spot.plain() | {"opt": option})["item"]
        return (item["Size"], item["Hashes"]) if item and item.get("Hashes") else object()

    def staged(self, size: int, *, overwrite: bool) -> bool:
        """Return whether a file is written under another name first.

        So it is where it would stand under its own before it is whole, and where something else may come to stand there
        in the long time that a large file takes, as far as giving a name is cheap.
        """
        return self._endpoint.staged or (
            not overwrite and size > SMALL and self._endpoint.options["type"] in CHEAP_TO_NAME
        )

    def settle(self, first: str, final: str, *, overwrite: bool) -> None:
        """Give a staged file its name; that it is free is looked at just before, as servers have no way to do both."""
        if not overwrite and self.stats([final])[0] is not None:
            raise PermanentError(f"{final}: already exists")
        spots = self._changing(first).as_("src") | self._changing(final).as_("dst")
        # Without this a file of the same size counts as the same, and the new one is thrown away.
        self._call("operations/movefile", spots | {"_config": {"IgnoreTimes": True}})

    def reading(self, path: str) -> Spot:
        """Return the spot of a file to read."""
        return self._spot(path)

    def writing(self, path: str) -> Spot:
        """Return the spot of a file to write."""
        return self._changing(path)

    def hashes(self) -> frozenset[str]:
        """Return the names of the checksums that the site can tell."""
        return frozenset(self._call("operations/fsinfo", {"fs": self._fs})["Hashes"])

    def _changing(self, path: str) -> Spot:
        if self._endpoint.options["type"] == "http":
            raise PermanentError("the site is read only")
        return self._spot(path)

    def _spot(self, path: str) -> Spot:
        at_home, rest = paths.below(path)
        if not at_home:
            return Spot(self._fs, rest)
        if self._home is None and self._endpoint.has_login_directory:
            return Spot({**self._fs, "_root": ""}, rest)
        return Spot(self._fs, "/".join(part for part in ((self._home or "").strip("/"), rest) if part))

    def _with_directories(self, spot: Spot) -> Spot:
        """Object stores have no directories, but a marker can stand for one."""
        if self._endpoint.options["type"] != "s3":
            return spot
        return Spot({**spot.fs, "directory_markers": "true"}, spot.remote)

    def _call(self, command: str, body: Json) -> Json:
        return self._rclone.rc().call(command, body | self._common, self._seconds)

    def _batch(self, command: str, bodies: Sequence[Json]) -> list[Json]:
        calls = [{"_path": command, **body, **self._common} for body in bodies]
        answers = self._rclone.rc().batch(calls, BATCH, self._seconds)
        return [_answer(answer) for answer in answers]


def _answer(answer: Any) -> Json:
    if isinstance(answer, TransferError):
        raise answer
    return dict(answer)


def _rooted(spot: Spot) -> dict[str, str]:
    root = spot.fs["_root"]
    return {**spot.fs, "_root": f"{root.rstrip('/')}/{spot.remote}" if root else spot.remote}

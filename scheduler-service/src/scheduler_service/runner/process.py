"""Runs functions in processes of this machine, walled off as far as it allows (docs/explanation/code.md)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from scheduler_service.runner.call import Call, Ended, Limits, SandboxFailed
from scheduler_service.runner.confined import Confined
from scheduler_service.runner.directories import directory
from scheduler_service.runner.interpreter import Interpreter
from scheduler_service.runner.probe import Never, has_worked, probe
from scheduler_service.runner.users import NoUserFree, leased_user
from scheduler_service.sources.work import Ending

DISK_BYTES = 64 * 2**20
GUEST = Path(__file__).with_name("inside") / "guest.py"
NO_IMAGES = "images need a Docker engine, and this runner reaches none"
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime")


class Processes:
    """A :class:`scheduler_service.runner.call.Sandbox` of processes on this machine.

    ``first_user``: where the range of users begins that functions run as, if this process may choose.
    """

    def __init__(self, first_user: int, *, network: bool = False, python: str = "", namespaces: bool = True) -> None:
        self._first_user = first_user
        self._network = network
        self._namespaces = namespaces
        self._candidates = [Interpreter.named(python)] if python else list(Interpreter.found())
        self._python = self._candidates[0]
        self._works = False
        self._guest = GUEST.read_text(encoding="utf-8")

    def check(self) -> str | None:
        """Say why no function can be called here; tried once, until it works."""
        reason = None if self._works else "functions can not be run"
        for candidate in () if self._works else self._candidates:
            self._python = candidate
            try:
                self._works = has_worked(self.call(probe(), Never()).report)
            except (SandboxFailed, OSError) as failure:
                reason = f"functions can not be run: {failure}"
            if self._works:
                return None
        return reason

    def prepare(self, image: str | None) -> str | None:
        """There are no images here, only the house's Python."""
        return NO_IMAGES if image else self.check()

    def call(self, call: Call, ending: Ending) -> Ended:
        """Call a package function in a process of its own."""
        if call.image:
            raise SandboxFailed(NO_IMAGES)
        request = orjson.dumps({"entry": call.entry, "input": call.input}) + b"\n" + call.package
        with self._user() as (user, held), directory(user) as home:
            order = self._order(call.limits, home, user)
            with Confined(order, request, held) as confined:
                return confined.to_the_end(call.limits.seconds, ending)

    @contextmanager
    def _user(self) -> Iterator[tuple[int | None, list[int]]]:
        """Give the user that the function runs as, and what keeps others from it; ``None``: that of this process."""
        if os.geteuid() != 0:
            yield None, []
            return
        try:
            with leased_user(self._first_user) as (user, holder):
                yield user, [holder]
        except NoUserFree as error:
            raise SandboxFailed(str(error)) from None

    def _order(self, limits: Limits, home: str, user: int | None) -> dict[str, object]:
        return {
            "command": [*self._python.command, "-u", "-c", self._guest],
            "directory": home,
            "readable": [*SYSTEM, *self._python.directories],
            "namespaces": self._namespaces,
            "user": user,
            "network": self._network,
            "memory": limits.memory,
            "seconds": limits.seconds + 1,
            "disk": DISK_BYTES,
        }

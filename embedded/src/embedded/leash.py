"""Start a program that may not outlive its parent, if need be under another system account.

Run as a script (`python -I -S leash.py …`), it asks the kernel for a signal when its parent dies, drops
root's rights and becomes the program. A script and no `preexec_fn`: that is unsafe beside threads.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


def start(
    command: Sequence[str],
    *,
    user: str | None = None,
    on_parent_death: signal.Signals = signal.SIGTERM,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: IO[bytes] | int = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that Ctrl-C in a terminal reaches its parent only.

    `user` is a system account's name (only root may give one). `on_parent_death` is what the kernel sends the
    program when this process is gone (Linux; elsewhere the next start cleans up by process-id files).
    """
    words = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(on_parent_death)), user or ""]
    return subprocess.Popen(  # noqa: S603
        [*words, *command],
        env=dict(env) if env is not None else None,
        cwd=cwd or "/",
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output != subprocess.DEVNULL else subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=tuple(pass_fds),
    )


def _become(user: str) -> None:
    import pwd  # here, because it does not exist everywhere

    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _main(parent: int, death_signal: int, user: str, command: list[str]) -> None:
    if user:
        _become(user)
    if sys.platform == "linux":
        # After the change of account: the kernel forgets the request when the user id changes.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("The parent ended before its child began.")
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])

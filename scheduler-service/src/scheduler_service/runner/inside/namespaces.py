"""A world of its own for a function: its processes, its network (none), its view of the files."""

import contextlib
import os
from collections.abc import Iterable

from scheduler_service.runner.inside import system

DEVICES = ("null", "zero", "full", "random", "urandom")
ALWAYS = system.NEW_PIDS | system.NEW_MOUNTS | system.NEW_IPC | system.NEW_NAMES
OF_THE_NETWORK = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/ssl", "/etc/pki")


def enter(network: bool) -> bool:
    """Go on in a child that is the first process of new namespaces; ``False`` when this system does not allow it.

    The process that was there before waits, and ends as the child ends. ``network``: keep that of this machine.
    """
    user, group = os.geteuid(), os.getegid()
    wanted = ALWAYS | (0 if network else system.NEW_NETWORK) | (0 if user == 0 else system.NEW_USER)
    try:
        system.unshare(wanted)
    except OSError:
        return False
    if user != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    child = os.fork()
    if child:
        _wait_for(child)
    system.die_with_parent()
    return True


def private_root(root: str, readable: Iterable[str], work: str, size: int) -> None:
    """Let this process see nothing but ``readable`` paths, and an empty ``work`` of ``size`` bytes; raise OSError.

    ``root``: an empty directory on which the new root is built.
    """
    system.mount("none", "/", None, system.RECURSIVE | system.PRIVATE)
    system.mount("tmpfs", root, "tmpfs", system.NO_SUID | system.NO_DEVICES, "size=1m,mode=755")
    for path in readable:
        _show(root, path)
    os.mkdir(f"{root}/dev", 0o755)
    for name in DEVICES:
        _write(f"{root}/dev/{name}", "")
        system.mount(f"/dev/{name}", f"{root}/dev/{name}", None, system.BIND)
    for path, limit in ((work, size), ("/tmp", size)):  # noqa: S108 - of the function alone
        os.makedirs(root + path, 0o755, exist_ok=True)
        flags = system.NO_SUID | system.NO_DEVICES
        system.mount("tmpfs", root + path, "tmpfs", flags, f"size={limit},mode=1777,nr_inodes=20000")
    os.mkdir(f"{root}/proc", 0o755)
    with contextlib.suppress(OSError):  # a container may have covered parts of /proc, which forbids a new one
        system.mount("proc", f"{root}/proc", "proc", system.NO_SUID | system.NO_DEVICES)
    system.enter_root(root)
    system.mount(
        "none", "/", None, system.REMOUNT | system.BIND | system.READ_ONLY | system.NO_SUID | system.NO_DEVICES
    )


def _show(root: str, path: str) -> None:
    """Make one path visible, and nothing beside it."""
    if os.path.islink(path):
        os.makedirs(os.path.dirname(root + path), 0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.symlink(os.readlink(path), root + path)
        path = os.path.realpath(path)
    if not os.path.exists(path) or os.path.lexists(root + path):
        return
    if os.path.isdir(path):
        os.makedirs(root + path, 0o755)
    else:
        os.makedirs(os.path.dirname(root + path), 0o755, exist_ok=True)
        _write(root + path, "")
    system.mount(path, root + path, None, system.BIND | system.RECURSIVE)
    with contextlib.suppress(OSError):  # flags that this mount may not lose are those that it has already
        system.mount("none", root + path, None, _read_only(path))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _read_only(path: str) -> int:
    """Return the flags that make a bind mount read-only; those that it has may not be taken from it."""
    kinds = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME
    kept = os.statvfs(path).f_flag & kinds
    return system.REMOUNT | system.BIND | system.READ_ONLY | system.NO_SUID | kept


def _wait_for(child: int) -> None:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)

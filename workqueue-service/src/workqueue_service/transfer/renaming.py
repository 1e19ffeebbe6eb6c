"""Names on this host, given in one step and only when they are free: what already has the name is never replaced."""

import ctypes
import errno
import os

AT_FDCWD = -100
NO_REPLACE = 1
# What a kernel or a file system says that cannot do it in one step.
_UNABLE = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM})

_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def rename_new(old: str, new: str) -> None:
    """Give a file or directory another name; raises FileExistsError when there is something, and OSError."""
    code = _at_once(old, new)
    if code in _UNABLE:
        _by_link(old, new)
    elif code:
        raise OSError(code, os.strerror(code), old, None, new)


def _at_once(old: str, new: str) -> int:
    if _renameat2 is None:
        return errno.ENOSYS
    failed = _renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), NO_REPLACE)
    return ctypes.get_errno() if failed else 0


def _by_link(old: str, new: str) -> None:
    """Do it in two steps that never replace a file; where there are no hard links, look first and hope."""
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
    else:
        os.unlink(old)
        return
    if os.path.lexists(new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), old, None, new)
    os.rename(old, new)

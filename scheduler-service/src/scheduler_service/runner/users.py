"""Users that functions run as: each of them for one function at a time on this machine."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

COUNT = 256


class NoUserFree(Exception):
    """Every user of the range runs a function"""


@contextmanager
def leased_user(first: int) -> Iterator[tuple[int, int]]:
    """Give a user id that nobody else uses, and the descriptor of what holds it; both end together.

    Held as an abstract socket: the kernel lets go of it when its last holder ends, however that ends.
    """
    for user in range(first, first + COUNT):
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0taskyard-user-{user}")
        except OSError:
            holder.close()
            continue
        with holder:
            yield user, holder.fileno()
        return
    raise NoUserFree

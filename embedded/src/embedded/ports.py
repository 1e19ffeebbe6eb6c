"""Free TCP ports of this machine."""

import random
import socket

# Below the range from which the kernel takes the ports of outgoing connections.
_FIRST, _LAST = 15_000, 31_999
_given: set[int] = set()


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port on which nobody listens, and which this process has not been given before."""
    while True:
        port = random.randint(_FIRST, _LAST)  # noqa: S311
        if port not in _given and is_free(port):
            _given.add(port)
            return port

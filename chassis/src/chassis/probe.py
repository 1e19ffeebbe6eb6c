"""`python probe.py <port> <path>`: ends with status 0 if the process beside it answers 200.

For the health checks of containers, which run it every few seconds: it imports next to nothing.
"""

import socket
import sys

TIMEOUT = 4.0  # seconds
REQUEST = "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def answers(port: int, path: str) -> bool:
    """Return whether `path` at `port` of this machine is answered with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
            connection.sendall(REQUEST.format(path).encode())
            with connection.makefile("rb") as answer:
                return answer.readline().split()[1:2] == [b"200"]
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not answers(int(sys.argv[1]), sys.argv[2]))

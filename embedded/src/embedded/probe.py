"""Whether a process answers."""

import http.client


def answers(port: int, path: str, host: str = "127.0.0.1") -> bool:
    """Whether `GET path` on `port` says 200 within two seconds."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

"""A virtual host of a test's own on a RabbitMQ, so that nobody's queues get into another's way."""

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit


@contextmanager
def own_vhost(amqp_url: str) -> Iterator[str]:
    """Give the address of a virtual host that ends with the context, where one can be made, else the server's."""
    control = shutil.which("rabbitmqctl")
    if control is None:
        yield amqp_url
        return
    name, user = f"taskyard-e2e-{uuid.uuid4().hex[:8]}", urlsplit(amqp_url).username or "guest"
    _run(control, "add_vhost", name)
    _run(control, "set_permissions", "-p", name, user, ".*", ".*", ".*")
    try:
        yield urlunsplit(urlsplit(amqp_url)._replace(path=f"/{name}"))
    finally:
        _run(control, "delete_vhost", name)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)

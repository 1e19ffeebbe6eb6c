"""Makes the Secrets of an overlay: `python deploy/k8s/make_secrets.py dev|production | kubectl create -f -`.

Needs Python alone. Every run makes new values: `create` refuses to replace what is there; `apply` would replace it, and
what the old Fernet keys encrypted could not be read any more. Keep a copy where you keep secrets.
"""

import base64
import json
import secrets
import sys
from dataclasses import dataclass
from typing import Any

SERVICES = ("auth", "tracker", "workqueue", "scheduler", "poller")
KEEP_SECRETS = ("auth", "workqueue")
BROKER_USER = "taskyard"


@dataclass(frozen=True)
class Place:
    """Where an overlay's processes and its servers run."""

    namespace: str
    servers: str
    postgres: str
    rabbitmq: str
    options: str = ""


PLACES = {
    "dev": Place("taskyard-dev", "taskyard-dev", "postgres", "rabbitmq"),
    "production": Place(
        "taskyard", "taskyard-data", "postgres-rw.taskyard-data", "rabbitmq.taskyard-data", "?sslmode=require"
    ),
}


def password() -> str:
    """256 random bits that need no escaping in a URL."""
    return secrets.token_urlsafe(32)


def fernet_key() -> str:
    """A key as `cryptography.fernet` wants it."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def secret(namespace: str, name: str, kind: str = "Opaque", **values: str) -> dict[str, Any]:
    """A Secret; `__` in a name of `values` stands for a dot."""
    data = {key.replace("__", "."): value for key, value in values.items()}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "stringData": data}


def of_service(place: Place, service: str, word: str) -> dict[str, Any]:
    """What one service alone knows: its database, and the key that encrypts what it keeps for others."""
    role = f"taskyard_{service}"
    values = {"taskyard_database_url": f"postgresql://{role}:{word}@{place.postgres}:5432/{role}{place.options}"}
    if service in KEEP_SECRETS:
        values["taskyard_secret_key"] = fernet_key()
    return secret(place.namespace, f"taskyard-{service}", **values)


def of_servers(place: Place, words: dict[str, str], broker: str) -> list[dict[str, Any]]:
    """What PostgreSQL and RabbitMQ are told about their users."""
    made = [secret(place.servers, "broker", **broker_values(place, broker))]
    if place.servers == place.namespace:
        databases = {f"database-{service}": word for service, word in words.items()}
        return [*made, secret(place.servers, "databases", postgres=password(), **databases)]
    for service, word in words.items():
        role = {"username": f"taskyard_{service}", "password": word}
        made.append(secret(place.servers, f"database-{service}", "kubernetes.io/basic-auth", **role))
    return made


def broker_values(place: Place, word: str) -> dict[str, str]:
    """RabbitMQ's first user, in the form that its operator reads (`secretBackend.externalSecret`)."""
    return {
        "username": BROKER_USER,
        "password": word,
        "default_user__conf": f"default_user = {BROKER_USER}\ndefault_pass = {word}\n",
        "host": place.rabbitmq,
        "port": "5672",
        "provider": "rabbitmq",
        "type": "rabbitmq",
    }


def make(place: Place) -> list[dict[str, Any]]:
    """Every Secret of a place, with new values."""
    words = {service: password() for service in SERVICES}
    broker = password()
    amqp_url = f"amqp://{BROKER_USER}:{broker}@{place.rabbitmq}:5672//"
    return [
        *(of_service(place, service, word) for service, word in words.items()),
        secret(place.namespace, "taskyard-house", taskyard_internal_key=password()),
        secret(place.namespace, "taskyard-broker", taskyard_amqp_url=amqp_url),
        *of_servers(place, words, broker),
    ]


def main(arguments: list[str]) -> None:
    """Print the Secrets of the overlay that is named."""
    if len(arguments) != 1 or arguments[0] not in PLACES:
        sys.exit(f"usage: make_secrets.py {'|'.join(PLACES)}")
    json.dump({"apiVersion": "v1", "kind": "List", "items": make(PLACES[arguments[0]])}, sys.stdout, indent=2)


if __name__ == "__main__":
    main(sys.argv[1:])

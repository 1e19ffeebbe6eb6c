"""`python -m embedded.provision secrets|databases`: what the servers of the compose file need before services start.

Both are safe to run again. Secrets are made once and stay in `<root>/vault`; every other directory below the root holds
what one container may know of them, as files, and is the only one that this container sees.
"""

from pathlib import Path

import click

from embedded.server import DatabaseServer
from embedded.services import SERVICES, ServiceRow
from embedded.storage import Storage, StorageFailed
from embedded.vault import Vault, fernet_key

DATABASE_SERVER = "postgres"
BROKER = "rabbitmq"
BROKER_SETTINGS = """\
log.console = true
default_user = taskyard
default_pass = {password}
loopback_users = none
"""


class Provision:
    """The secrets below `root`, and the databases that are opened with them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._vault = Vault(root / "vault")
        password = self._vault.get("postgres.password")
        self._storage = Storage(
            DatabaseServer(f"postgresql://postgres:{password}@{DATABASE_SERVER}/postgres"), self._vault
        )

    def secrets(self) -> None:
        """Write each container's files; what is not there yet is made."""
        self._write("postgres", password=self._vault.get("postgres.password"))
        self._write("rabbitmq", **{"taskyard.conf": BROKER_SETTINGS.format(password=self._broker_password())})
        self._write("transfer", taskyard_internal_key=self._vault.get("internal-key"))
        for row in SERVICES:
            self._write(row.name, **self._of_service(row))

    def databases(self) -> None:
        """Make what is missing of the services' databases and roles."""
        self._storage.prepare([row.database for row in SERVICES], broker=False)

    def _broker_password(self) -> str:
        return self._vault.get("rabbitmq.password")

    def _of_service(self, row: ServiceRow) -> dict[str, str]:
        secrets = {
            "taskyard_database_url": self._storage.dsn(row.database),
            "taskyard_amqp_url": f"amqp://taskyard:{self._broker_password()}@{BROKER}:5672//",
            "taskyard_internal_key": self._vault.get("internal-key"),
        }
        if row.keeps_secrets:
            secrets["taskyard_secret_key"] = self._vault.get(f"{row.name}.secret-key", fernet_key)
        return secrets

    def _write(self, directory: str, **files: str) -> None:
        place = self._root / directory
        place.mkdir(exist_ok=True)
        for name, content in files.items():
            unfinished = place / f".{name}.new"
            unfinished.write_text(content)
            unfinished.chmod(
                0o444
            )  # the container's own user reads it, whatever its number; nobody else has the volume
            unfinished.replace(place / name)


@click.group()
@click.option("--root", type=click.Path(path_type=Path), default=Path("/secrets"), show_default=True)
@click.pass_context
def main(context: click.Context, root: Path) -> None:
    """Prepare secrets and databases."""
    context.obj = Provision(root)


@main.command()
@click.pass_obj
def secrets(provision: Provision) -> None:
    """Make the secrets that are missing and hand them out as files."""
    provision.secrets()


@main.command()
@click.pass_obj
def databases(provision: Provision) -> None:
    """Make the databases and roles that are missing."""
    try:
        provision.databases()
    except StorageFailed as failure:
        raise click.ClickException(str(failure)) from None


if __name__ == "__main__":
    main()

"""Runs auth-service: ``python -m auth_service api|worker|migrate|rotate-keys``."""

import click

from chassis.cli import service_command

main = service_command("auth_service.service:service")


@main.command("rotate-keys")
def rotate_keys() -> None:
    """Sign access tokens with a new key from a minute on; tokens of the old one stay valid until they end."""
    from auth_service.service import service
    from auth_service.settings import AuthSettings
    from auth_service.signing import SigningKeys
    from auth_service.vault import Vault

    settings = AuthSettings.load()
    with service.database(settings, "cli") as database:
        vault = Vault(settings.secret_key.get_secret_value())
        click.echo(SigningKeys(database, vault).rotate())


if __name__ == "__main__":
    main()

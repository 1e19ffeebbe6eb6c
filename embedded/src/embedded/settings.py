"""Settings of the one-machine run, from the environment."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class BadSettings(Exception):
    """A setting has a value that cannot be used."""


class HouseSettings(BaseSettings):
    """TASKYARD_PORT and so on. With a `database_url` or `amqp_url` no embedded server takes that part."""

    model_config = SettingsConfigDict(env_prefix="TASKYARD_", env_ignore_empty=True, frozen=True)

    host: str = Field(default="127.0.0.1", description="address of the gate")
    port: int = Field(default=8080, ge=0, le=65535, description="the gate's port; 0 takes a free one")
    data: Path = Field(default=Path(".taskyard"), description="where everything is kept")
    database_url: SecretStr | None = Field(
        default=None, description="a PostgreSQL server to use instead of the embedded one"
    )
    amqp_url: SecretStr | None = Field(default=None, description="a RabbitMQ to use instead of the embedded broker")
    shutdown_grace: float = Field(default=10.0, gt=0, description="seconds between SIGTERM and SIGKILL")
    start_timeout: float = Field(default=60.0, gt=0, description="seconds for each part to get ready")

    @classmethod
    def load(cls) -> Self:
        """Read the environment; `BadSettings` names what is wrong, without its value."""
        try:
            return cls()
        except ValidationError as error:
            wrong = [f"TASKYARD_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
            raise BadSettings("; ".join(wrong)) from None

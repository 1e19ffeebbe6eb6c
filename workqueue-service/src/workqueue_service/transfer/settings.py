"""Configuration of the transfer worker, which knows nothing of the service's database."""

import os
import sys
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from chassis.addresses import Networks
from chassis.settings import PREFIX, explain


class TransferSettings(BaseSettings):
    """From ``TASKYARD_<NAME>``, or from files in ``$TASKYARD_SECRETS_DIR``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535, description="of the pages /healthz, /readyz and /metrics")
    workqueue_url: str = Field(description="of the workqueue-service, or of the gate in front of it")
    worker_id: str = ""
    worker_secret: SecretStr = SecretStr("")
    internal_key: SecretStr | None = Field(default=None, description="proves a worker of the house")
    transfer_slots: int = Field(default=8, ge=1, le=256, description="files, or bundles of small files, at a time")
    transfer_lease: float = Field(default=60.0, ge=5, le=3600, description="after this long a lost worker is missed")
    transfer_bandwidth: str = Field(default="off", pattern=r"^(off|[0-9.]+[BKMGbkmg]?)$", description="bytes a second")
    transfer_known_hosts: str = Field(default="", description="file with the keys of SFTP servers")
    transfer_rclone_config: Path | None = Field(default=None, description="remotes of the operator for rclone:<name>:")
    workqueue_file_roots: Annotated[tuple[Path, ...], NoDecode] = ()
    """Directories below which ``file://`` sites may lie, separated by colons."""
    workqueue_networks: Networks = Field(default=(), description="internal networks that sites may lie in; CIDRs")
    log_level: str = "info"
    log_format: str = Field(default="json", pattern="^(json|console)$")
    shutdown_grace: float = Field(default=10.0, gt=0)

    @field_validator("workqueue_file_roots", mode="before")
    @classmethod
    def _colon_separated(cls, value: object) -> object:
        return [part for part in value.split(":") if part] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_a_credential(self) -> Self:
        if not self.internal_key and not (self.worker_id and self.worker_secret.get_secret_value()):
            raise ValueError(f"set {PREFIX}WORKER_ID and {PREFIX}WORKER_SECRET, or {PREFIX}INTERNAL_KEY")
        return self

    @classmethod
    def load(cls) -> Self:
        """Read the environment; on a missing or bad value name it and end the process with status 78."""
        try:
            return cls(_secrets_dir=os.environ.get(PREFIX + "SECRETS_DIR"))  # type: ignore[call-arg]
        except ValidationError as error:
            sys.stderr.write(explain(error))
            raise SystemExit(os.EX_CONFIG) from None

"""Configuration of workqueue-service."""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from cryptography.fernet import Fernet
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from chassis.addresses import Networks
from chassis.settings import Settings

SHORTEST_SECRET = 16
Names = Annotated[tuple[str, ...], NoDecode]


class WorkqueueSettings(Settings):
    """What workqueue-service needs besides the common settings; durations are in seconds."""

    secret_key: SecretStr = Field(description="Fernet key that encrypts site credentials at rest")
    workqueue_dialect: Literal["documented", "pdm"] = "documented"
    workqueue_file_roots: Annotated[tuple[PurePosixPath, ...], NoDecode] = ()
    """Directories below which ``file://`` endpoints may lie, separated by colons; none: no such endpoints."""
    workqueue_remotes: Names = ()
    """Names of the operator's own rclone remotes that ``rclone:<name>:`` endpoints may use, separated by commas."""
    workqueue_pdm_secret: SecretStr = SecretStr("")
    """Signs user tokens, if services of PDM share them; the ids in their tokens are ids of accounts."""
    workqueue_pdm_token_lifetime: float = Field(default=12 * 3600.0, gt=0)
    workqueue_networks: Networks = ()
    """Internal networks that sites may lie in; CIDRs separated by commas."""
    workqueue_workers: Names = ()
    """Ids of workers that get transfers, and with them credentials of users; ``*``: every worker of Taskyard."""
    workqueue_lease: float = Field(default=60.0, ge=5, le=3600, description="of workers that send heartbeats")
    workqueue_lease_margin: float = Field(default=300.0, ge=0, description="added to the time-outs of PDM workers")
    workqueue_sweep: float = Field(default=2.0, gt=0, description="between two looks for leases that have ended")
    workqueue_retry_delay: float = Field(default=2.0, ge=0, description="before the second attempt; doubles after it")
    workqueue_retry_delay_max: float = Field(default=300.0, ge=0)
    workqueue_max_tries: int = Field(default=20, ge=2, le=1000, description="the most attempts that a job may ask for")
    workqueue_site_transfers: int = Field(default=256, ge=1, description="at once, of sites that set no limit")
    workqueue_keep_days: float = Field(default=90.0, gt=0, description="how long ended jobs are kept")

    @field_validator("secret_key")
    @classmethod
    def _is_a_fernet_key(cls, value: SecretStr) -> SecretStr:
        Fernet(value.get_secret_value())
        return value

    @field_validator("workqueue_pdm_secret")
    @classmethod
    def _is_long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value) < SHORTEST_SECRET:
            raise ValueError(f"the secret needs {SHORTEST_SECRET} characters: whoever guesses it is every user")
        return value

    @field_validator("workqueue_file_roots", mode="before")
    @classmethod
    def _colon_separated(cls, value: object) -> object:
        return [part for part in value.split(":") if part] if isinstance(value, str) else value

    @field_validator("workqueue_file_roots")
    @classmethod
    def _absolute(cls, roots: tuple[PurePosixPath, ...]) -> tuple[PurePosixPath, ...]:
        if not all(root.is_absolute() and ".." not in root.parts for root in roots):
            raise ValueError("every directory must be an absolute path without ..")
        return roots

    @field_validator("workqueue_remotes", "workqueue_workers", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

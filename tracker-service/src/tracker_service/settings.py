"""Configuration of tracker-service."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from chassis.settings import Settings

Level = Literal["trace", "info", "warn", "error"]


class TrackerSettings(Settings):
    """What tracker-service needs besides the common settings; durations are in seconds (spec: tracker 10)."""

    reset_timed_out_tasks_interval: float = Field(default=300.0, gt=0)
    snapshot_interval: float = Field(default=120.0, ge=1)
    history_length: float = Field(default=400 * 3600.0, ge=1, description="how long snapshots are kept")
    stored_log_levels: Annotated[frozenset[Level], NoDecode] = frozenset({"error", "info", "warn"})
    log_retention: float = Field(default=30 * 86_400.0, ge=1, description="how long stored worker logs are kept")
    logs_require_manager: bool = False
    webhook_hash: Literal["sha1", "sha256"] = "sha256"
    webhook_signature_header: str = Field(default="X-Gogs-Signature", min_length=1)
    production_branches: Annotated[frozenset[str], NoDecode] = frozenset({"master", "main"})

    @field_validator("stored_log_levels", "production_branches", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return {part.strip() for part in value.split(",") if part.strip()} if isinstance(value, str) else value

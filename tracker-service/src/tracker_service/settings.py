"""Configuration of tracker-service."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from chassis.settings import Settings

Level = Literal["trace", "info", "warn", "error"]


class TrackerSettings(Settings):
    """What tracker-service needs besides the common settings; durations are in seconds (spec: tracker 10)."""

    reset_timed_out_tasks_interval: float = Field(
        default=300.0, gt=0, description="between looks for leases that have run out"
    )
    snapshot_interval: float = Field(default=120.0, ge=1, description="between monitoring snapshots")
    history_length: float = Field(default=400 * 3600.0, ge=1, description="how long snapshots are kept")
    stored_log_levels: Annotated[frozenset[Level], NoDecode] = Field(
        default=frozenset({"error", "info", "warn"}), description="which worker logs `/logs` shows, with commas"
    )
    log_retention: float = Field(default=30 * 86_400.0, ge=1, description="how long stored worker logs are kept")
    logs_require_manager: bool = Field(default=False, description="whether `/logs` needs a login")
    webhook_hash: Literal["sha1", "sha256"] = Field(default="sha256", description="of push hooks' signatures")
    webhook_signature_header: str = Field(
        default="X-Gogs-Signature", min_length=1, description="where push hooks carry their signature"
    )
    production_branches: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset({"master", "main"}), description="branches whose pushes set a project's version, with commas"
    )

    @field_validator("stored_log_levels", "production_branches", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return {part.strip() for part in value.split(",") if part.strip()} if isinstance(value, str) else value

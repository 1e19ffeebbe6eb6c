"""The gate's settings, all from the environment with the prefix TASKYARD_."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.endpoint import Endpoint, parse_endpoints
from gateway.errors import BrokenSettings

SERVICES = ("auth", "tracker", "workqueue", "scheduler", "poller")


def _read_endpoints(value: Any) -> Any:
    return parse_endpoints(value) if isinstance(value, str) else value


Upstream = Annotated[tuple[Endpoint, ...], NoDecode, BeforeValidator(_read_endpoints)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(str.lower)]
Port = Annotated[int, Field(ge=0, le=65535)]


class GateSettings(BaseSettings):
    """Where the gate listens, what stands behind it, and its limits. A port of 0 means any free one."""

    model_config = SettingsConfigDict(env_prefix="TASKYARD_", env_ignore_empty=True)

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: Port = Field(default=8080, description="port to listen on")
    admin_port: Port = Field(default=9901, description="Envoy's own pages and metrics, on 127.0.0.1 alone")
    stats_port: Port | None = Field(
        default=None, description="metrics and readiness for others to see, of `TASKYARD_HOST`; unset: nowhere"
    )
    upstream_auth: Upstream = Field(description="auth-service, as host:port, several with commas")
    upstream_tracker: Upstream = Field(description="tracker-service, as host:port, several with commas")
    upstream_workqueue: Upstream | None = Field(
        default=None, description="workqueue-service, as host:port, several with commas"
    )
    upstream_scheduler: Upstream | None = Field(
        default=None, description="scheduler-service, as host:port, several with commas"
    )
    upstream_poller: Upstream | None = Field(
        default=None, description="poller-service, as host:port, several with commas"
    )
    tls_cert: Path | None = Field(default=None, description="certificate chain, PEM; with it the gate speaks TLS")
    tls_key: Path | None = Field(default=None, description="its private key, PEM")
    gate_concurrency: int = Field(default=1, ge=1, le=64, description="Envoy's worker threads")
    gate_throttle_burst: int = Field(default=60, ge=1, description="logins of one address at once")
    gate_throttle_rate: float = Field(
        default=1.0, gt=0, le=20, description="logins of one address per second after that"
    )
    gate_trusted_hops: int = Field(
        default=0, ge=0, le=8, description="proxies in front, each of which adds its client to `X-Forwarded-For`"
    )
    gateway_dir: Path = Field(default=Path(__file__).parents[2], description="where routes.toml and the template are")
    data: Path | None = Field(default=None, description="where the rendered configuration is kept")
    shutdown_grace: float = Field(default=10, ge=0, description="how long `drain` waits for running requests")
    log_level: LogLevel = "info"
    log_format: Literal["json", "console"] = "json"

    @model_validator(mode="after")
    def _tls_is_complete(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("TASKYARD_TLS_CERT and TASKYARD_TLS_KEY belong together")
        for path in filter(None, (self.tls_cert, self.tls_key)):
            if not os.access(path, os.R_OK):
                raise ValueError(f"cannot read {path}")
        return self

    @model_validator(mode="after")
    def _stats_are_somewhere(self) -> Self:
        if self.stats_port is not None and self.admin_port == 0:
            raise ValueError("TASKYARD_STATS_PORT needs a fixed TASKYARD_ADMIN_PORT")
        return self

    @property
    def upstreams(self) -> dict[str, tuple[Endpoint, ...]]:
        """The configured services and their endpoints."""
        found = {service: getattr(self, f"upstream_{service}") for service in SERVICES}
        return {service: endpoints for service, endpoints in found.items() if endpoints}

    @classmethod
    def load(cls) -> Self:
        """Read the environment; `BrokenSettings` names every variable that is missing or wrong."""
        try:
            return cls()  # type: ignore[call-arg]  # the environment supplies the rest
        except ValidationError as error:
            raise BrokenSettings("; ".join(map(_complaint, error.errors()))) from None


def _complaint(error: Any) -> str:
    if not error["loc"]:
        return str(error["msg"])
    variable = f"TASKYARD_{str(error['loc'][0]).upper()}"
    return f"{variable} is missing" if error["type"] == "missing" else f"{variable}: {error['msg']}"

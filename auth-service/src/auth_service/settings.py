"""Configuration of auth-service."""

from cryptography.fernet import Fernet
from pydantic import Field, SecretStr, field_validator

from chassis.settings import Settings

MAX_TOKEN_SECONDS = 86_400


class AuthSettings(Settings):
    """What auth-service needs besides the common settings; durations are in seconds."""

    secret_key: SecretStr = Field(description="Fernet key that encrypts private keys and worker secrets at rest")
    tracker_url: str | None = Field(default=None, description="where a changed pause is told at once; unset: by event")
    session_seconds: int = Field(default=8 * 3600, ge=60, description="life of a login")
    token_seconds: int = Field(default=900, ge=60, le=MAX_TOKEN_SECONDS, description="life of an access token")
    resolved_seconds: int = Field(default=60, ge=30, le=120, description="life of the answers to other services")
    key_rotation_days: float = Field(default=30.0, gt=0, description="age at which a signing key is replaced")
    audit_days: float = Field(default=400.0, gt=0, description="how long the audit remembers")
    login_failures: int = Field(default=10, ge=1, description="of one name from one address inside login_window")
    login_window: float = Field(default=300.0, gt=0, description="over which failed logins are counted")

    @field_validator("secret_key")
    @classmethod
    def _is_a_fernet_key(cls, value: SecretStr) -> SecretStr:
        Fernet(value.get_secret_value())
        return value

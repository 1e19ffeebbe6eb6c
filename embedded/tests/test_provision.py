"""What the compose file's containers get before the services start."""

import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from embedded.provision import main
from embedded.services import SERVICES, ServiceRow


def contents(root: Path) -> dict[str, str]:
    """Return every file below a directory."""
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the secrets have been made."""
    assert CliRunner().invoke(main, ["--root", str(tmp_path), "secrets"]).exit_code == 0
    return tmp_path


def test_secrets_stay_as_they_are(root: Path) -> None:
    before = contents(root)
    assert CliRunner().invoke(main, ["--root", str(root), "secrets"]).exit_code == 0
    assert contents(root) == before


@pytest.mark.parametrize("row", SERVICES, ids=lambda row: row.name)
def test_a_service_starts_with_the_files_of_its_container(
    root: Path, row: ServiceRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKYARD_SECRETS_DIR", str(root / row.name))
    monkeypatch.setenv("TASKYARD_PORT", "8080")
    monkeypatch.setenv("TASKYARD_AUTH_URL", "http://auth-api:8080")
    for name in ("DATABASE_URL", "AMQP_URL", "INTERNAL_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"TASKYARD_{name}", raising=False)
    settings = importlib.import_module(f"{row.module}.service").service.settings.load()
    assert settings.database_url.get_secret_value().endswith(f"@postgres/{row.database}")
    assert settings.amqp_url.get_secret_value().startswith("amqp://taskyard:")


def test_a_container_sees_its_own_secrets_alone(root: Path) -> None:
    found = contents(root)
    password = found["vault/taskyard_tracker.password"]
    assert [name for name, text in found.items() if password in text and not name.startswith("vault/")] == [
        "tracker/taskyard_database_url"
    ]
    assert set(contents(root / "transfer")) == {"taskyard_internal_key"}


def test_a_server_that_does_not_answer_is_named(root: Path) -> None:
    result = CliRunner().invoke(main, ["--root", str(root), "databases"])
    assert (result.exit_code, result.output[:32]) == (1, "Error: PostgreSQL at postgres:54")
    assert "password" not in result.output

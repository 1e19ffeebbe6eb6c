"""A process reads its settings once, and says what is wrong with them."""

from pathlib import Path

import pytest

from chassis.settings import Settings

COMPLETE = {
    "TASKYARD_PORT": "1",
    "TASKYARD_DATABASE_URL": "postgresql://a:topsecret@db/x",
    "TASKYARD_AMQP_URL": "amqp://mq",
    "TASKYARD_AUTH_URL": "http://auth",
    "TASKYARD_INTERNAL_KEY": "i" * 32,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)


def test_complete_settings_load() -> None:
    settings = Settings.load()
    assert settings.port == 1
    assert "topsecret" not in repr(settings)


def test_what_is_missing_or_wrong_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TASKYARD_DATABASE_URL")
    monkeypatch.setenv("TASKYARD_INTERNAL_KEY", "tooshort")
    with pytest.raises(SystemExit, match="78"):
        Settings.load()
    printed = capsys.readouterr().err
    assert "TASKYARD_DATABASE_URL" in printed
    assert "TASKYARD_INTERNAL_KEY" in printed
    assert "tooshort" not in printed


def test_a_secret_may_be_a_mounted_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TASKYARD_INTERNAL_KEY")
    monkeypatch.setenv("TASKYARD_SECRETS_DIR", str(tmp_path))
    (tmp_path / "taskyard_internal_key").write_text("f" * 32)
    assert Settings.load().internal_key.get_secret_value() == "f" * 32


@pytest.mark.parametrize(
    ("peer", "trusted"), [("127.0.0.1", True), ("10.3.2.1", True), ("8.8.8.8", False), ("", False)]
)
def test_only_a_gate_is_believed(peer: str, trusted: bool) -> None:
    assert Settings.load().trusts(peer) is trusted

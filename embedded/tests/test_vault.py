"""Secrets are made once and kept closed."""

from pathlib import Path

from embedded.vault import Vault, fernet_key


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    first = Vault(tmp_path / "secrets").get("key")
    assert Vault(tmp_path / "secrets").get("key") == first
    assert len(first) >= 43


def test_each_secret_is_another(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    assert vault.get("one") != vault.get("two")
    assert fernet_key() != fernet_key()


def test_only_the_owner_reads_them(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "secrets")
    vault.get("key")
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets" / "key").stat().st_mode & 0o777 == 0o600


def test_a_secret_whose_making_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / ".key.new").write_text("ha")
    assert Vault(tmp_path).get("key") != "ha"

"""Signing keys: creation, rotation, storage (DESIGN 4)."""

from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from cryptography.fernet import Fernet

from auth_service.signing import RELOAD_SECONDS, SigningKeys
from auth_service.sql import sql
from auth_service.testing import House
from auth_service.vault import Vault
from chassis.identity import JwksVerifier, Kind, Principal

SOMEBODY = Principal(Kind.ACCOUNT, 1, "somebody", version=1)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def published(house: House) -> list[str]:
    return [key["kid"] for key in house.visitor().get("/auth/jwks.json").get_json()["keys"]]


def test_the_first_key_is_made_when_it_is_needed(house: House) -> None:
    assert house.database.value("SELECT count(*) FROM signing_key") == 0
    (kid,) = published(house)
    assert kid_of(house.parts.tokens.sign(SOMEBODY, 60)) == kid


def test_a_key_made_while_another_process_waited_is_seen_by_it(house: House) -> None:
    with house.database.transaction() as waited:
        waited.value("SELECT now()")
        kid, _ = SigningKeys(house.database, Vault(house.settings.secret_key.get_secret_value())).signer()
        assert [(row["kid"], row["active"]) for row in waited.all(sql.signing_keys)] == [(kid, True)]


def test_processes_that_start_together_agree_on_the_first_key(house: House) -> None:
    vault = Vault(house.settings.secret_key.get_secret_value())
    with ThreadPoolExecutor(4) as threads:
        kids = set(threads.map(lambda _: SigningKeys(house.database, vault).signer()[0], range(4)))
    assert len(kids) == 1 == house.database.value("SELECT count(*) FROM signing_key")


def test_a_new_key_is_published_before_it_signs(house: House) -> None:
    """Other services must have been able to fetch it."""
    old = kid_of(house.parts.tokens.sign(SOMEBODY, 60))
    new = house.parts.signing.rotate()
    assert set(published(house)) == {old, new}
    assert kid_of(house.parts.tokens.sign(SOMEBODY, 60)) == old
    house.database.execute("UPDATE signing_key SET active_from = now() WHERE kid = %s", [new])
    house.parts.signing._loaded = float("-inf")
    assert kid_of(house.parts.tokens.sign(SOMEBODY, 60)) == new


def test_tokens_of_an_old_key_stay_valid_until_they_end(house: House) -> None:
    token = house.parts.tokens.sign(SOMEBODY, 600)
    new = house.parts.signing.rotate(delay=0)
    house.parts.signing.rotate_when_older(60)
    verifier = JwksVerifier(house.parts.signing.public)
    assert verifier.verify(token).id == 1
    later = house.parts.tokens.sign(SOMEBODY, 600)
    assert kid_of(later) == new
    assert verifier.verify(later).id == 1


def test_an_old_key_goes_when_its_last_token_has_ended(house: House) -> None:
    old = kid_of(house.parts.tokens.sign(SOMEBODY, 60))
    new = house.parts.signing.rotate(delay=0)
    assert house.database.value("SELECT ends_at > now() + interval '1 day' FROM signing_key WHERE kid = %s", [old])
    house.database.execute("UPDATE signing_key SET ends_at = now() - interval '1 s' WHERE kid = %s", [old])
    house.parts.signing._loaded = float("-inf")
    assert published(house) == [new]
    house.parts.signing.rotate_when_older(60)
    assert house.database.value("SELECT count(*) FROM signing_key") == 1


def test_keys_are_replaced_by_age(house: House) -> None:
    signing = house.parts.signing
    signing.rotate_when_older(60)
    assert house.database.value("SELECT count(*) FROM signing_key") == 0
    old = published(house)
    signing.rotate_when_older(60)
    assert published(house) == old
    house.database.execute("UPDATE signing_key SET created_at = now() - interval '61 s'")
    signing.rotate_when_older(60)
    signing.rotate_when_older(60)
    assert len(published(house)) == 2


def test_other_processes_see_a_new_key_soon(house: House) -> None:
    clock = Clock()
    vault = Vault(house.settings.secret_key.get_secret_value())
    other = SigningKeys(house.database, vault, clock)
    assert len(other.public()) == 1
    house.parts.signing.rotate(delay=0)
    assert len(other.public()) == 1
    clock.now += RELOAD_SECONDS + 0.1
    assert len(other.public()) == 2
    assert other.signer()[0] == house.parts.signing.signer()[0]


def test_known_keys_stay_published_while_the_database_is_away(house: House) -> None:
    clock = Clock()
    signing = SigningKeys(house.database, Vault(house.settings.secret_key.get_secret_value()), clock)
    known = signing.public()
    house.database.close()
    clock.now += RELOAD_SECONDS + 0.1
    assert signing.public() == known


def test_private_keys_are_encrypted_at_rest(house: House) -> None:
    _, private = house.parts.signing.signer()
    row = house.database.one("SELECT * FROM signing_key")
    assert row is not None
    assert all(private.private_bytes_raw() not in bytes(str(column), "utf-8") for column in row.values())
    assert private.private_bytes_raw() not in bytes(row["private_sealed"])
    assert bytes(row["public_key"]) == private.public_key().public_bytes_raw()


def test_another_secret_key_means_a_new_signing_key(house: House) -> None:
    """Tokens go on; those signed before stay valid."""
    token = house.parts.tokens.sign(SOMEBODY, 60)
    other = SigningKeys(house.database, Vault(Fernet.generate_key().decode()))
    assert other.signer()[0] != kid_of(token)
    assert JwksVerifier(other.public).verify(token).id == 1


def test_the_published_keys_hold_nothing_private(house: House) -> None:
    answer = house.visitor().get("/auth/jwks.json")
    assert answer.headers["Content-Type"] == "application/json"
    (key,) = answer.get_json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}


def test_a_secret_key_must_be_one(make_house: object) -> None:
    with pytest.raises(ValueError, match="secret_key"):
        make_house(secret_key="x" * 44)  # type: ignore[operator]

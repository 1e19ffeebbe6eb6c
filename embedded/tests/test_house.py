"""The house as an object, with services that do nothing."""

import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from embedded.house import House, PortTaken
from embedded.instance import AlreadyRunning
from embedded.server import DatabaseServer
from embedded.storage import StorageFailed
from embedded.supervisor import NotReady

MakeHouse = Callable[..., House]


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def settings_at(port: str | int) -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        settings: dict[str, str] = json.load(answer)
    return settings


def upstream(house: House, service: str) -> str:
    return settings_at(house.port)[f"TASKYARD_UPSTREAM_{service.upper()}"].rpartition(":")[2]


def visits(house: House, service: str) -> object:
    with psycopg.connect(house.env(service)["TASKYARD_DATABASE_URL"]) as connection:
        row = connection.execute("SELECT count(*) FROM visits").fetchone()
    assert row is not None
    return row[0]


def test_everything_runs_with_what_it_needs(house: House) -> None:
    services = {"one-api", "one-worker", "two-api", "gate"}
    assert set(house.processes) == {"postgres", "zygote-gevent", "zygote-threads", *services}
    one, two = settings_at(upstream(house, "one")), settings_at(upstream(house, "two"))
    assert one["TASKYARD_INTERNAL_KEY"] == two["TASKYARD_INTERNAL_KEY"]
    assert len(one["TASKYARD_INTERNAL_KEY"]) >= 32
    assert one["TASKYARD_DATABASE_URL"] != two["TASKYARD_DATABASE_URL"]
    assert one["TASKYARD_AMQP_URL"].startswith("pgmq://taskyard_broker:")
    assert one["TASKYARD_TWO_URL"] == f"http://127.0.0.1:{two['TASKYARD_PORT']}"
    assert "TASKYARD_SECRET_KEY" in one
    assert "TASKYARD_SECRET_KEY" not in two


def test_nothing_is_left_after_stop(make_house: MakeHouse) -> None:
    house = make_house()
    house.start()
    family = [psutil.Process(pid) for pid in house.processes.values()]
    family += [child for process in family for child in process.children(recursive=True)]
    house.stop()
    assert house.processes == {}
    assert len(family) > 5
    assert not [process for process in family if process.is_running()]


def test_a_second_start_finds_the_data_and_the_secrets_again(make_house: MakeHouse) -> None:
    seen = []
    for starts in (1, 2):
        with make_house() as house:
            settings = house.env("one")
            seen.append((settings["TASKYARD_INTERNAL_KEY"], settings["TASKYARD_SECRET_KEY"]))
            assert visits(house, "one") == starts
    assert seen[0] == seen[1]


def test_a_service_cannot_enter_the_database_of_another(house: House) -> None:
    own = house.env("one")["TASKYARD_DATABASE_URL"]
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(own.rpartition("/")[0] + "/taskyard_two")


def test_the_broker_is_installed_once(make_house: MakeHouse) -> None:
    for messages in (1, 2):
        with make_house() as house:
            url = house.env("one")["TASKYARD_AMQP_URL"].replace("pgmq://", "postgresql://")
            with psycopg.connect(url) as connection:
                connection.execute("SELECT pgmq.create('parcels')")
                connection.execute("SELECT pgmq.send('parcels', '{}')")
                assert connection.execute("SELECT count(*) FROM pgmq.q_parcels").fetchone() == (messages,)


@pytest.mark.parametrize("name", ["one-worker", "postgres", "gate", "zygote-threads"])
def test_a_killed_process_comes_back_and_the_others_stay(house: House, news: list[str], name: str) -> None:
    before, told = house.processes, len(news)
    house.kill(name)
    house.wait_ready(name)
    after = house.processes
    assert {key for key in before if after.get(key) != before[key]} == {name}
    assert visits(house, "one") == 1
    assert [line for line in news[told:] if line.startswith(f"{name} ended (SIGKILL)")]


def test_a_process_starts_again_whose_zygote_is_gone(make_house: MakeHouse) -> None:
    news: list[str] = []
    with make_house(report=news.append) as house:
        before = house.processes
        house.down("zygote-threads")
        house.kill("one-worker")
        house.wait_ready("one-worker")
        assert house.processes["one-api"] == before["one-api"]
    assert [line for line in news if line.startswith("one-worker ended (nobody saw how)")]


def test_a_process_that_ends_itself_comes_back(house: House, news: list[str]) -> None:
    house.wait_ready("one-api")  # an earlier test may have killed it
    before, told = house.processes["one-api"], len(news)
    urllib.request.urlopen(f"http://127.0.0.1:{upstream(house, 'one')}/crash", timeout=5).close()
    until(lambda: house.processes.get("one-api") not in (None, before))
    house.wait_ready("one-api")
    assert [line for line in news[told:] if line.startswith("one-api ended (exit code 3)")]


def test_a_process_can_be_kept_down(house: House) -> None:
    port = upstream(house, "one")
    house.down("one-api")
    with pytest.raises(urllib.error.URLError):
        settings_at(port)
    house.up("one-api")
    assert settings_at(port)["TASKYARD_PORT"] == port


def test_the_database_keeps_what_it_has_over_a_restart(house: House) -> None:
    before = house.processes["postgres"]
    house.restart("postgres")
    assert house.processes["postgres"] != before
    assert visits(house, "two") == 1


def test_a_process_that_will_not_stop_is_killed_after_the_grace_time(make_house: MakeHouse) -> None:
    news: list[str] = []
    house = make_house(environment={"FAKE_STUBBORN": "worker"}, report=news.append, grace=0.5)
    house.start()
    pid = house.processes["one-worker"]
    house.stop()
    assert not psutil.pid_exists(pid)
    assert "one-worker did not stop within 0.5 s and is killed" in news


def test_a_port_in_use_is_named(make_house: MakeHouse) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} is in use. TASKYARD_PORT="):
            make_house(port=port).start()


def test_one_house_per_data_directory(make_house: MakeHouse, data: Path) -> None:
    first, second = make_house(services=()), make_house(services=())
    with first, pytest.raises(AlreadyRunning, match=rf"{data}.*process {os.getpid()}.*TASKYARD_DATA="):
        second.start()
    with make_house(services=()):
        pass


def test_wrong_settings_of_a_service_end_the_start_with_its_own_words(make_house: MakeHouse) -> None:
    house = make_house(environment={"FAKE_BROKEN": "api"})
    with pytest.raises(NotReady, match=r"one-api.*\n.*the setting that matters is missing"):
        house.start()
    assert house.processes == {}


def test_failing_migrations_end_the_start(make_house: MakeHouse) -> None:
    with pytest.raises(NotReady, match="one-migrate failed"):
        make_house(environment={"FAKE_BROKEN": "migrate"}).start()


def test_warnings_of_processes_reach_the_console(house: House, news: list[str]) -> None:
    until(lambda: "one-worker: warning tea_is_cold cup=worker" in news)


def test_servers_of_ones_own_take_the_place_of_the_embedded_ones(
    make_house: MakeHouse, each_postgres: DatabaseServer
) -> None:
    with make_house(database_url=each_postgres.admin_dsn, amqp_url="amqp://broker.example//") as house:
        assert "postgres" not in house.processes
        settings = house.env("one")
        assert settings["TASKYARD_AMQP_URL"] == "amqp://broker.example//"
        with psycopg.connect(settings["TASKYARD_DATABASE_URL"]) as connection:
            row = connection.execute("SELECT current_user, current_database()").fetchone()
    assert row == ("taskyard_one", "taskyard_one")
    with each_postgres.connect() as connection:
        for name in ("taskyard_one", "taskyard_two"):
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            connection.execute(f"DROP ROLE {name}")


def test_a_database_server_that_does_not_answer_is_named(make_house: MakeHouse) -> None:
    with pytest.raises(StorageFailed, match=r"PostgreSQL at 127\.0\.0\.1:1:"):
        make_house(database_url="postgresql://postgres:secret@127.0.0.1:1/postgres").start()


def test_files_of_the_data_directory_are_private(house: House) -> None:
    secrets = [path.stat().st_mode & 0o777 for path in (house.data / "secrets").iterdir()]
    directories = [(house.data / name).stat().st_mode & 0o777 for name in ("secrets", "logs", "postgres")]
    assert secrets
    assert set(secrets) == {0o600}
    assert set(directories) == {0o700}

"""What auth-service says reaches the tracker, over both brokers, also after the broker was away."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from actors import Machine
from vhost import own_vhost

from chassis.testing.cable import Cable
from chassis.testing.waiting import eventually
from embedded import postgres
from embedded.house import House
from embedded.services import SERVICES

pytestmark = pytest.mark.embedded

OUTAGE_SECONDS = float(os.environ.get("TASKYARD_TEST_BROKER_OUTAGE", "3"))


def tracker_value(house: House, query: str, *values: object) -> object:
    """Return the one value that a query finds in the tracker's database."""
    with psycopg.connect(house.env("tracker")["TASKYARD_DATABASE_URL"]) as connection:
        row = connection.execute(query, values).fetchone()  # type: ignore[arg-type]
    return None if row is None else row[0]


def alias_at_tracker(house: House, machine: Machine) -> object:
    """Return the alias that the tracker's read model has."""
    return tracker_value(house, "SELECT alias FROM worker WHERE id = %s", machine.id)


@pytest.fixture(scope="module")
def rabbit_cable(amqp_url: str) -> Iterator[Cable]:
    """A cable to a virtual host of this test's own, where one can be made, else to the server as it is."""
    with own_vhost(amqp_url) as url:
        cable = Cable(url)
        yield cable
        cable.close()


@pytest.fixture(scope="module")
def rabbit_house(rabbit_cable: Cable, data_directory: Path) -> Iterator[House]:
    """A house whose services talk over RabbitMQ."""
    directory = Path(tempfile.mkdtemp(dir=data_directory))
    postgres.own(directory)
    talking = [row for row in SERVICES if row.name in ("auth", "tracker")]
    with House(directory / "rabbit", amqp_url=rabbit_cable.url, services=talking) as house:
        yield house


@pytest.fixture(params=["house", "rabbit_house"])
def each_house(request: pytest.FixtureRequest) -> House:
    """A house on each broker there is."""
    house: House = request.getfixturevalue(request.param)
    return house


def test_a_new_alias_reaches_the_tracker(each_house: House) -> None:
    machine = Machine.create(each_house.url, "before")
    eventually(lambda: alias_at_tracker(each_house, machine) == "before")
    machine.post("/worker/update", {"alias": "after"})
    eventually(lambda: alias_at_tracker(each_house, machine) == "after")


def test_what_happened_while_a_worker_process_was_away_arrives_once_it_is_back(each_house: House) -> None:
    each_house.down("auth-worker")
    machine = Machine.create(each_house.url, "patient")
    each_house.up("auth-worker")
    eventually(lambda: alias_at_tracker(each_house, machine) == "patient")


def test_what_happened_while_the_broker_was_away_arrives_once(rabbit_house: House, rabbit_cable: Cable) -> None:
    """The house answers meanwhile; afterwards each event has had its effect exactly once."""
    first = Machine.create(rabbit_house.url, "first")
    eventually(lambda: alias_at_tracker(rabbit_house, first) == "first")
    handled = "SELECT count(*) FROM inbox WHERE type = 'auth.worker.created'"
    before = tracker_value(rabbit_house, handled)
    rabbit_cable.cut()
    absent = [Machine.create(rabbit_house.url, f"absent {number}") for number in range(5)]
    with pytest.raises(AssertionError):
        eventually(lambda: alias_at_tracker(rabbit_house, absent[0]), OUTAGE_SECONDS)
    rabbit_cable.mend()
    eventually(lambda: alias_at_tracker(rabbit_house, absent[-1]) == "absent 4", 30)
    assert [alias_at_tracker(rabbit_house, machine) for machine in absent] == [f"absent {n}" for n in range(5)]
    assert tracker_value(rabbit_house, handled) == before + 5  # type: ignore[operator]

"""Events under load while things break: each has its effect once, in the order of its subject, on every broker."""

import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from chassis.database import Database
from chassis.events import Event, Handlers
from chassis.events.health import backlog

SUBJECTS = ("worker/1", "worker/2", "worker/3")


class Load:
    """Somebody who publishes events of three subjects, without pause, while the block runs."""

    def __init__(self, database: Database, tell: Any, pause: float = 0.005) -> None:
        self._database, self._tell, self._pause = database, tell, pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.versions = 0

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._pause):
            self.versions += 1
            for subject in SUBJECTS:
                self._tell(self._database, self.versions, subject)


def effects(database: Database) -> dict[str, list[int]]:
    """The versions that had their effect, in its order, by subject."""
    found = defaultdict(list)
    for row in database.all("SELECT subject, (data->>'version')::int AS version FROM effect ORDER BY n"):
        found[row["subject"]].append(row["version"])
    return found


def count(database: Database) -> int:
    return int(database.value("SELECT count(*) FROM effect"))


def all_arrived(database: Database, load: Load) -> bool:
    return count(database) >= load.versions * len(SUBJECTS)


def assert_once_in_order(database: Database, load: Load) -> None:
    assert load.versions > 20
    assert effects(database) == {subject: list(range(1, load.versions + 1)) for subject in SUBJECTS}


def test_the_broker_goes_away_under_load(house: Any, remember: Handlers, tell: Any, eventually: Any) -> None:
    auth, tracker, cable = house.database(), house.database(), house.cable()
    receiver = house.loop(tracker, "tracker", remember, url=cable.url)
    sender = house.loop(auth, "auth", url=cable.url)
    with Load(auth, tell) as load:
        eventually(lambda: effects(tracker))
        cable.cut()
        eventually(lambda: not sender.healthy() and not receiver.healthy())
        before = load.versions
        eventually(lambda: load.versions > before + 50)
        assert backlog(auth)[0] > 100
        cable.mend()
        eventually(lambda: sender.healthy() and receiver.healthy())
    eventually(lambda: all_arrived(tracker, load), 60)
    assert_once_in_order(tracker, load)
    assert house.dead("tracker").list() == []


def test_the_connection_is_killed_twenty_times_under_load(
    house: Any, remember: Handlers, tell: Any, eventually: Any
) -> None:
    auth, tracker = house.database(), house.database()
    cables = house.cable(), house.cable()
    receiver = house.loop(tracker, "tracker", remember, url=cables[0].url)
    sender = house.loop(auth, "auth", url=cables[1].url)
    with Load(auth, tell, 0.02) as load:
        for turn in range(20):
            cable, loop = cables[turn % 2], (receiver, sender)[turn % 2]
            eventually(loop.healthy)
            cable.cut()
            cable.mend()
            eventually(lambda seen=load.versions: load.versions > seen + 2)
    eventually(lambda: all_arrived(tracker, load), 60)
    assert_once_in_order(tracker, load)
    assert house.dead("tracker").list() == []


def test_several_workers_of_a_service_lose_their_connections_in_turn(
    house: Any, remember: Handlers, tell: Any, eventually: Any
) -> None:
    """Whoever receives next begins where the one before was lost."""
    auth, tracker = house.database(), house.database()
    cables = [house.cable() for _ in range(3)]
    workers = [house.loop(tracker, "tracker", remember, url=cable.url) for cable in cables]
    house.loop(auth, "auth")
    with Load(auth, tell) as load:
        for turn in range(6):
            cable, worker = cables[turn % 3], workers[turn % 3]
            eventually(worker.healthy)
            cable.cut()
            seen = count(tracker)
            eventually(lambda seen=seen: count(tracker) > seen + 15, 60)
            cable.mend()
    eventually(lambda: all_arrived(tracker, load), 60)
    assert_once_in_order(tracker, load)
    assert house.dead("tracker").list() == []


def test_a_consumer_is_killed_between_effect_and_acknowledgement(
    house: Any, remember: Handlers, tell: Any, eventually: Any
) -> None:
    """A process that gets no chance to say anything, three times; then one that lives."""
    auth, tracker = house.database(), house.database()
    house.services.add("tracker")
    with house.broker.session() as connection:
        house.broker.declare(connection, "tracker", remember.types, ())
    house.loop(auth, "auth")
    with Load(auth, tell, 0.02) as load:
        for last in (5, 10, 15):
            script = str(Path(__file__).with_name("mortal_consumer.py"))
            words = [sys.executable, script, tracker.dsn, house.url, house.exchange, str(last)]
            consumer = subprocess.run(words, capture_output=True, timeout=60, check=False)
            assert consumer.returncode == -9, consumer.stderr
            assert last in effects(tracker)[SUBJECTS[0]]
        house.loop(tracker, "tracker", remember)
        eventually(lambda: load.versions > 30)
    eventually(lambda: all_arrived(tracker, load), 60)
    assert_once_in_order(tracker, load)


def test_the_queue_is_deleted_under_load(house: Any, tell: Any, eventually: Any) -> None:
    """What was lost is sent again: once each, and no older version after a newer one for who compares them."""
    auth, tracker = house.database(), house.database()
    tracker.execute("CREATE TABLE worker (subject text PRIMARY KEY, version int)")
    keep = (
        "INSERT INTO worker AS old VALUES (%s, %s) ON CONFLICT (subject)"
        " DO UPDATE SET version = EXCLUDED.version WHERE old.version < EXCLUDED.version"
    )
    handlers, sender = Handlers(), Handlers()
    sender.on("tracker.role.changed")(lambda tx, event: None)

    @handlers.on("auth.worker.updated")
    def note(tx: Any, event: Event) -> None:
        tx.execute("INSERT INTO effect (event, subject) VALUES (%s, %s)", [event.id, event.subject])
        tx.execute(keep, [event.subject, event.data["version"]])
        time.sleep(0.001)

    receiver = house.loop(tracker, "tracker", handlers)
    house.loop(auth, "auth", sender)
    with Load(auth, tell) as load:
        eventually(lambda: load.versions > 20)
        house.services.discard("auth")
        house.delete_queues()
        house.services.add("auth")
        eventually(lambda: not receiver.healthy())
        eventually(receiver.healthy)
        eventually(lambda seen=load.versions: load.versions > seen + 20)
    eventually(lambda: all_arrived(tracker, load), 60)
    counts = Counter(row["event"] for row in tracker.all("SELECT event FROM effect"))
    assert set(counts.values()) == {1}
    assert len(counts) == load.versions * len(SUBJECTS)
    assert {row["version"] for row in tracker.all("SELECT version FROM worker")} == {load.versions}

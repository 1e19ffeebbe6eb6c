"""What is measured: how much is ready and leased when the load begins."""

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import load
from bench.house import House, Worker


@dataclass(frozen=True)
class Scenario:
    """So many tasks, and how they are taken. The load begins right after the last bulk submit."""

    ready: int
    leased: int = 0
    batch: int = 1


SCENARIOS = {
    "small": Scenario(ready=60_000),
    "large": Scenario(ready=500_000),
    "leased": Scenario(ready=500_000, leased=100_000),
    "batches": Scenario(ready=200_000, batch=50),
}
WAITS = 50


def measure(house: House, url: str, scenario: Scenario, connections: int, seconds: int) -> tuple[load.Figures, float]:
    """Prepare, measure and clean up; return the figures and the tasks a second of the bulk submission."""
    project = house.project()
    workers = house.workers(project, connections)
    submitted = house.submit(project, workers[0], scenario.ready + scenario.leased)
    house.lease(project, workers[0], scenario.leased)
    try:
        return load.run(url, project, workers, seconds, scenario.batch), submitted
    finally:
        house.clear(project)


def wake_up_times(house: House) -> Sequence[float]:
    """Return, sorted, how many milliseconds an idle worker waits for a task from the moment of its submission."""
    project = house.project()
    waiting, submitting = house.workers(project, 2)
    times = [_wake_up(house, project, waiting, submitting) for _ in range(WAITS)]
    return sorted(times)


def _wake_up(house: House, project: int, waiting: Worker, submitting: Worker) -> float:
    arrived: list[tuple[float, int]] = []

    def wait() -> None:
        task = house.wait_for_task(project, waiting)["content"]["task"]
        arrived.append((time.perf_counter(), task["id"]))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.1)  # until the request sleeps; nothing tells us from outside
    started = time.perf_counter()
    house.submit_one(project, submitting)
    thread.join()
    house.release(waiting, arrived[0][1])
    return (arrived[0][0] - started) * 1000


def middle(times: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(times)

"""``python -m bench [--url URL] [--seconds N] [--connections N] [scenario ...]``: measures a running Taskyard.

Each scenario is measured in turn, ``--rounds`` times, so that what else the machine does hits all of them alike.
The last column is the ratio to the first scenario of the same round, which says more than the number itself.
"""

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

from bench import cron, engines
from bench.house import House
from bench.scenarios import SCENARIOS, measure, middle, wake_up_times
from bench.transfers import Trees

OTHERS = ("wake", "transfers", "cron", "engines")
LINE = "{:<10} {:>10} {:>9} {:>9} {:>8} {:>14} {:>7}\n"


def main() -> None:
    """Measure what the command line asks for and print a table."""
    arguments = _arguments()
    if "engines" in arguments.scenario:
        engines.main(arguments.jobs, arguments.engines, arguments.rounds)
    if set(arguments.scenario) == {"engines"}:
        return
    house = House(arguments.url)
    if "cron" in arguments.scenario:
        _cron(arguments)
    if "wake" in arguments.scenario:
        times = wake_up_times(house)
        sys.stdout.write(
            f"idle worker: {middle(times):.1f} ms from submission to task (median of {len(times)}), "
            f"worst {times[-1]:.1f} ms\n"
        )
    if "transfers" in arguments.scenario:
        _transfers(house, arguments)
    names = [name for name in arguments.scenario if name not in OTHERS]
    ratios = defaultdict(list)
    if names:
        sys.stdout.write(LINE.format("scenario", "tasks/s", "p50 ms", "p99 ms", "refused", "bulk submit/s", "ratio"))
    for _ in range(arguments.rounds):
        first = 0.0
        for name in names:
            figures, submitted = measure(
                house, arguments.url, SCENARIOS[name], arguments.connections, arguments.seconds
            )
            first = first or figures.tasks_per_second
            ratios[name].append(figures.tasks_per_second / first)
            sys.stdout.write(
                LINE.format(
                    name, f"{figures.tasks_per_second:.0f}", figures.p50_ms, figures.p99_ms, figures.refused,
                    f"{submitted:.0f}", f"{ratios[name][-1]:.2f}",
                )
            )  # fmt: skip
            sys.stdout.flush()
    for name in names[1:]:
        sys.stdout.write(f"{name}: {median(ratios[name]):.2f} of {names[0]} (median of {arguments.rounds})\n")


def _transfers(house: House, arguments: argparse.Namespace) -> None:
    trees = Trees(house, arguments.files.resolve(), arguments.megabytes)
    try:
        seconds, equal = trees.copy_all()
        sys.stdout.write(f"one job: {equal} of {len(trees.files())} files with equal checksums after {seconds:.1f} s\n")
        rounds = [trees.measure(alone_first=number % 2 == 0) for number in range(arguments.rounds)]
    finally:
        trees.close()
    for each in rounds:
        sys.stdout.write(
            f"small files {each.small_per_second:.0f}/s, {each.small.ratio:.2f} of rclone alone; "
            f"{arguments.megabytes} MB in {each.large.house:.2f} s, "
            f"by rclone alone in {each.large.alone:.2f} s: {each.large.ratio:.2f}\n"
        )
    sys.stdout.write(
        f"median of {arguments.rounds}: small files {median(each.small_per_second for each in rounds):.0f}/s, "
        f"{median(each.small.ratio for each in rounds):.2f} of rclone alone; "
        f"large file {median(each.large.ratio for each in rounds):.2f} of rclone alone\n"
    )


def _cron(arguments: argparse.Namespace) -> None:
    scheduler = cron.Scheduler(arguments.url)
    for _ in range(arguments.rounds):
        found = cron.fire(scheduler, arguments.jobs)
        sys.stdout.write(
            f"{found.jobs} jobs due in one second: {found.early} early, {found.twice} twice, {found.lost} lost; "
            f"lateness p50 {found.at(0.5):.0f} ms, p99 {found.at(0.99):.0f} ms, last {found.lateness[-1]:.0f} ms; "
            f"{found.seconds:.2f} s from the first firing to the last\n"
        )
        sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures a running Taskyard.")
    port = os.environ.get("TASKYARD_PORT", "8080")
    parser.add_argument("--url", default=f"http://127.0.0.1:{port}")
    parser.add_argument("--seconds", type=int, default=10, help="length of each measurement")
    parser.add_argument("--connections", type=int, default=32, help="workers, each with one connection")
    parser.add_argument("--rounds", type=int, default=1)
    files = Path(os.environ.get("TASKYARD_DATA", ".taskyard")) / "files"
    parser.add_argument("--files", type=Path, default=files, help="where transfers may have sites")
    parser.add_argument("--megabytes", type=int, default=2_000, help="size of the large file of transfers")
    parser.add_argument("--jobs", type=int, default=500, help="of the scenarios cron and engines")
    parser.add_argument("--engines", type=int, default=2, help="of the scenario engines, which has a house of its own")
    parser.add_argument("scenario", nargs="*", default=["small"], help=f"of {', '.join((*SCENARIOS, *OTHERS))}")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenario) - {*SCENARIOS, *OTHERS}:
        parser.error(f"unknown scenario: {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    main()

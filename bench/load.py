"""Runs wrk on a prepared project."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.house import Worker

SCRIPT = Path(__file__).with_name("get_release.lua")


@dataclass(frozen=True)
class Figures:
    """What one run of wrk found; times in milliseconds, for one request."""

    tasks_per_second: float
    p50_ms: float
    p99_ms: float
    closed: int
    empty: int
    refused: int


def run(url: str, project: int, workers: Sequence[Worker], seconds: int, batch: int = 1) -> Figures:
    """Let every worker lease and release over one connection for so many seconds."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("The load generator wrk is not installed (apt-get install wrk, brew install wrk).")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as plan:
        plan.write(_plan(project, workers, batch))
        plan.flush()
        count = str(len(workers))
        done = subprocess.run(  # noqa: S603
            [wrk, "-t", count, "-c", count, "-d", f"{seconds}s", "--timeout", "30s", "-s", str(SCRIPT), url],
            env={**os.environ, "PLAN": plan.name},
            capture_output=True,
            text=True,
            check=True,
        )
    return Figures(**orjson.loads(done.stdout.strip().splitlines()[-1]))


def _plan(project: int, workers: Sequence[Worker], batch: int) -> str:
    list_ = ",".join(f'{{id="{worker.id}",secret="{worker.secret}"}}' for worker in workers)
    return f"return {{project={project}, batch={batch}, workers={{{list_}}}}}\n"

"""The commands that the launcher prints do what it says."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from embedded.house import House
from embedded.memory import megabytes, proportional
from embedded.welcome import first_task, welcome


def test_the_address_is_the_gates() -> None:
    text = welcome("http://127.0.0.1:9999", Path("/data"), 512)
    assert "http://127.0.0.1:9999" in text
    assert "8080" not in text
    assert "512 MiB" in text


@pytest.mark.e2e
@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_printed_commands_lead_to_a_task(data: Path, tmp_path: Path) -> None:
    with House(data) as house:
        script = first_task(house.url)
        result = subprocess.run(
            ["sh", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30
        )
    answers = [json.loads(line) for line in result.stdout.splitlines() if line]
    assert all(answer["ok"] for answer in answers), answers
    assert answers[-1]["content"]["task"]["recipe"] == "count the stars"


@pytest.mark.e2e
def test_a_house_at_rest_is_small(data: Path) -> None:
    """In MiB, everything included but the launcher, which this process stands for and which takes 35."""
    with House(data) as house:
        assert 100 < megabytes(proportional(*house.processes.values())) < 850

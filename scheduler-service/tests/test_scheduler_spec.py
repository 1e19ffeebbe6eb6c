"""Each row of the scheduler's rules has a test that names it (``spec: scheduler 2.8``, ``4.4, rule 6``, ``Q13``)."""

import re
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ("scheduler-service", "gateway", "e2e-tests")

SECTIONS = (
    *(f"1.{number}" for number in range(1, 7)),
    *(f"2.{number}" for number in range(1, 12)),
    *("3.1", "3.2", "4.2", "4.3", "5.1.1", "5.1.2"),
    *(f"5.{number}" for number in range(2, 9)),
    *(f"6.{number}" for number in range(1, 5)),
)
RULES = [f"4.4, rule {number}" for number in range(1, 11)]
QUIRKS = [f"Q{number}" for number in range(1, 43)]
STEPS = [f"9, step {number}" for number in range(1, 13)]


def cited() -> set[str]:
    """Return what the tests name."""
    files = chain.from_iterable((ROOT / place).rglob("test_*.py") for place in PLACES)
    lines = [line for path in files for line in re.findall(r"spec: scheduler ([^\"\n]*)", path.read_text())]
    found = set(chain.from_iterable(re.findall(r"\bQ\d+\b|\b\d\.\d+(?:\.\d)?\b", line) for line in lines))
    for line in lines:
        for name, pattern in (("4.4, rule", r"4\.4, rules? ([\d, and]+)"), ("9, step", r"\b9,? steps? ([\d, and]+)")):
            for numbers in re.findall(pattern, line):
                found |= {f"{name} {number}" for number in re.findall(r"\d+", numbers)}
    return found


def test_every_row_is_cited() -> None:
    assert sorted({*SECTIONS, *RULES, *QUIRKS, *STEPS} - cited()) == []

"""What somebody does first who has typed `docker compose up`; the other tests come after it."""

from pathlib import Path

from readme import main_job
from stack import Stack


def test_the_readme_does_the_main_job(stack: Stack, tmp_path: Path) -> None:
    main_job(stack.url, tmp_path)

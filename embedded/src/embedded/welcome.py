"""What the launcher says when everything is ready."""

from importlib.resources import files
from pathlib import Path


def first_task(url: str) -> str:
    """Shell commands that make an account, a project and a worker, and submit and fetch a task, at gate `url`."""
    return files("embedded").joinpath("first-task.sh").read_text().replace("http://127.0.0.1:8080", url)


def welcome(url: str, data: Path, megabytes: int) -> str:
    """Address, first steps, and where things are."""
    steps = "\n".join(f"  {line}" for line in first_task(url).splitlines())
    return (
        f"\nTaskyard is ready at {url}\n\n"
        "The first account to register becomes the administrator. From nothing to the first task:\n\n"
        f"{steps}\n\n"
        f"Data, logs and secrets: {data} ({megabytes} MiB of memory in use). Ctrl-C stops everything."
    )

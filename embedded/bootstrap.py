"""Makes the virtual environment .venv of this repository: `python3 embedded/bootstrap.py run|dev`.

Needs Python alone: no compiler, no root. Third-party packages come as wheels in the versions of constraints.txt; the
packages of the repository are installed editable. What is up to date is left alone.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - that is what it is for
    sys.exit(
        "Taskyard needs Python 3.11 or later; this is {}.{} ({}). PYTHON=<path of a newer one> chooses another.".format(
            *sys.version_info[:2], sys.executable
        )
    )

import fcntl
import hashlib
import importlib.util
import subprocess
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CONSTRAINTS = ROOT / "constraints.txt"
BUILD_TOOL = "flit_core"


class Failed(Exception):
    """The environment could not be made."""


def projects() -> list[Path]:
    """The directories of the repository's own packages."""
    return sorted(path.parent for path in ROOT.glob("*/pyproject.toml"))


def requirements(group: str) -> list[str]:
    """What the packages need from outside; for `dev` also the tools of tests and checks."""
    wanted = {BUILD_TOOL}
    for project in projects():
        content = tomllib.loads((project / "pyproject.toml").read_text())
        wanted.update(content["project"].get("dependencies", []))
        if group == "dev":
            wanted.update(content.get("dependency-groups", {}).get("dev", []))
    return sorted(word for word in wanted if not word.startswith("taskyard-"))


def alone() -> list[str]:
    """What tests need without the packages that it says it needs (dependency group `alone`)."""
    contents = [tomllib.loads((project / "pyproject.toml").read_text()) for project in projects()]
    return sorted(word for content in contents for word in content.get("dependency-groups", {}).get("alone", []))


def fingerprint() -> str:
    """Changes with whatever the environment is made from."""
    files = [CONSTRAINTS, *(project / "pyproject.toml" for project in projects())]
    digest = hashlib.sha256(f"{ROOT} {sys.version}".encode())
    for file in files:
        digest.update(str(file).encode() + file.read_bytes())
    return digest.hexdigest()


def is_current(group: str) -> bool:
    """Whether the environment has what `group` needs (`dev` includes `run`)."""
    stamps = [VENV / f"{name}.stamp" for name in {group, "dev"}]
    return PYTHON.exists() and any(stamp.exists() and stamp.read_text() == fingerprint() for stamp in stamps)


def create() -> None:
    """Make the virtual environment, anew if it belongs to another Python."""
    if _version_of(PYTHON) == sys.version:
        return
    without_pip = [] if importlib.util.find_spec("ensurepip") else ["--without-pip"]
    _call([sys.executable, "-m", "venv", "--clear", *without_pip, str(VENV)])


def _version_of(python: Path) -> str | None:
    try:
        return subprocess.run(  # noqa: S603
            [python, "-c", "import sys; print(sys.version, end='')"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def pip() -> list[str]:
    """The words that run pip for the environment: its own pip, or the one of this Python."""
    if importlib.util.find_spec("ensurepip"):
        return [str(PYTHON), "-m", "pip"]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    raise Failed(f"{sys.executable} has neither ensurepip nor pip (on Debian: install python3-venv).")


def install(group: str) -> None:
    """Install what is missing, with a line that shows how far it is."""
    fixed = [*pip(), "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    wanted = requirements(group)
    _watch([*fixed, "--only-binary", ":all:", "-c", str(CONSTRAINTS), *wanted], "packages")
    if group == "dev":
        _watch([*fixed, "--no-deps", "--only-binary", ":all:", "-c", str(CONSTRAINTS), *alone()], "packages of tests")
    own = [word for project in projects() for word in ("-e", str(project))]
    _watch([*fixed, "--no-deps", "--no-build-isolation", *own], "Taskyard itself")


def _watch(command: list[str], what: str) -> None:
    begun, done = time.monotonic(), 0
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied", "Obtaining ", "Installing ")):
                done += 1
                _show(f"Installing {what}: {done} {line.split(' (')[0].strip()[:60]}", transient=True)
    if process.returncode != 0:
        raise Failed("".join(lines[-15:]))
    _show(f"Installed {what} in {time.monotonic() - begun:.0f} s")


def _show(text: str, *, transient: bool = False) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}" + ("" if transient else "\n"))
    elif not transient:
        sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _call(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode != 0:
        raise Failed((result.stdout + result.stderr).strip())


def main(group: str) -> None:
    """Bring the environment up to date; only one process does it at a time."""
    with open(__file__, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current(group):
            return
        try:
            create()
            install(group)
        except Failed as failure:
            sys.exit(f"The virtual environment {VENV} could not be made:\n{failure}")
        (VENV / f"{group}.stamp").write_text(fingerprint())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "run")

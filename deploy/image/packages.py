"""Installs what a project of the repository needs from outside: `python packages.py <place> <project>`.

Runs in the first stages of the images, with constraints.txt and the project's pyproject.toml beside it. The place
`.venv` is the virtual environment; any other is a directory beside it, which gets only what that does not have yet, so
that all images share the layer of the first. BUILD_CA is the text of certificates to trust besides the usual ones.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

VENV = Path(".venv").resolve()
CA = Path("/tmp/ca.pem")  # noqa: S108 - inside an image's first stage


def requirements(project: str) -> list[str]:
    """The packages of others that a project names."""
    wanted = tomllib.loads(Path(project, "pyproject.toml").read_text())["project"]["dependencies"]
    return [word for word in wanted if not word.startswith("taskyard-")]


def trust(certificates: str) -> None:
    """Have pip trust `certificates` besides its own."""
    from pip._vendor import certifi

    CA.write_text(f"{Path(certifi.where()).read_text()}\n{certificates}\n")
    os.environ["PIP_CERT"] = str(CA)


def install(place: Path, words: list[str]) -> None:
    """Install wheels into the virtual environment or beside it, compiled so that nothing is written at run time."""
    where = [] if place == VENV else ["--prefix", str(place)]
    pip = [sys.executable, "-m", "pip", "--python", str(VENV / "bin" / "python"), "--disable-pip-version-check"]
    fixed = ["install", "--quiet", "--no-input", "--no-cache-dir", "--no-compile", "--only-binary", ":all:"]
    subprocess.run([*pip, *fixed, "-c", "constraints.txt", *where, *words], check=True)  # noqa: S603
    compiler = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(place)]
    subprocess.run(compiler, check=True)  # noqa: S603


def main(place: Path, project: str) -> None:
    """Make the virtual environment if it is missing, and install."""
    if not VENV.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], check=True)  # noqa: S603
    place.mkdir(exist_ok=True)
    if certificates := os.environ.get("BUILD_CA"):
        trust(certificates)
    if words := requirements(project):
        install(place, words)
    if place != VENV:  # the same path for every version of Python
        (place / "packages").symlink_to(next(place.glob("lib/python*/site-packages"), place), target_is_directory=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])

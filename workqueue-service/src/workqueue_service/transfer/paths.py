"""Paths as users write them, made safe: what comes out stays below the site's root (spec: workqueue 4.2.1)."""

from workqueue_service.transfer.errors import PermanentError

FORBIDDEN = ("\0", "\r", "\n")


def tidy(path: str) -> str:
    """Return the path as listings show it: absolute, or beginning with ``~``; no ``//``, ``.``, ``..``, end slash.

    ``/~/a`` is ``~/a``; ``a`` is relative to the user's home and so ``~/a``. Raises :class:`PermanentError`.
    """
    if not path or any(character in path for character in FORBIDDEN):
        raise PermanentError("a path must not be empty or hold NUL or line breaks")
    steps = [step for step in path.split("/") if step not in ("", ".")]
    anchor = "" if path.startswith("/") else "~"
    if anchor and steps[:1] and steps[0].startswith("~"):
        anchor = steps.pop(0)
    parts = _carried_out(steps)
    if not anchor and parts[:1] == ["~"]:
        anchor = parts.pop(0)
    return "/".join([anchor, *parts]) or "/"


def join(directory: str, name: str) -> str:
    """Return the path of ``name`` in ``directory``, both tidy."""
    return directory + name if directory.endswith("/") else f"{directory}/{name}"


def parent(path: str) -> tuple[str, str]:
    """Return directory and name of a tidy path; the top has no name."""
    directory, slash, name = path.rpartition("/")
    if path in ("/", "~"):
        return path, ""
    if not slash:
        return "~", path
    return directory or "/", name


def below(path: str) -> tuple[bool, str]:
    """Return whether a tidy path starts at the home, and the rest of it, without a slash in front."""
    if path == "~" or path.startswith("~/"):
        return True, path[2:]
    return (False, path[1:]) if path.startswith("/") else (True, path)


def _carried_out(steps: list[str]) -> list[str]:
    parts: list[str] = []
    for step in steps:
        if step != "..":
            parts.append(step)
        elif parts:
            parts.pop()
        else:
            raise PermanentError("the path leads out of the site")
    return parts

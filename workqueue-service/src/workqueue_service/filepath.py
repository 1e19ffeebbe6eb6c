"""Paths at a site, as users write them (spec: workqueue 4.2.1). They are data: nothing here meets a file system."""

import re

MAX_BYTES = 4096
_REFUSED = re.compile(r"[\0\r\n]")


class BadPath(ValueError):
    """The path may not be used; the message says why."""


def normalise(path: str) -> str:
    """Return the one spelling of a path: ``/a/b``, ``~``, ``~/a`` or ``~name/a``.

    ``/~`` is the user's home like ``~``, a relative path lies below it. Slashes are collapsed, ``.`` and ``..`` are
    carried out. Raises :class:`BadPath` for line breaks, NUL, and for what leaves the site's root or the home.
    """
    if not path or _REFUSED.search(path) or len(path.encode(errors="replace")) > MAX_BYTES:
        raise BadPath(f"Possible injection content in filepath '{shown(path)}'")
    anchor, steps = _anchored([step for step in path.split("/") if step not in ("", ".")], path.startswith("/"))
    kept: list[str] = []
    for step in steps:
        if step != "..":
            kept.append(step)
        elif kept:
            kept.pop()
        else:
            raise BadPath(f"Possible injection content in filepath '{shown(path)}': it leaves the site's root")
    if anchor == "" and kept[:1] == ["~"]:
        anchor, kept = "~", kept[1:]
    return "/".join([anchor, *kept]) or "/"


def join(directory: str, name: str) -> str:
    """Return the path of ``name`` in a normalised directory."""
    return f"{directory.rstrip('/')}/{name}"


def shown(path: str) -> str:
    """Return the path so that it can stand in a message of one line."""
    text = path if len(path) <= 200 else path[:200] + "…"
    return _REFUSED.sub(lambda found: repr(found.group())[1:-1], text)


def _anchored(steps: list[str], absolute: bool) -> tuple[str, list[str]]:
    if absolute:
        return "", steps
    if steps and steps[0].startswith("~"):
        return steps[0], steps[1:]
    return "~", steps

"""rclone remote definitions: those of users, taken apart and checked, and those of the operator, by name."""

import re
from configparser import ConfigParser
from pathlib import Path

from workqueue_service.transfer.errors import PermanentError

# Storages that reach the worker's own files, or wrap another definition that would escape these rules; the last three
# connect by no way that the egress proxy sees.
REFUSED_TYPES = frozenset(
    {"local", "alias", "archive", "cache", "chunker", "combine", "compress", "crypt", "hasher", "memory", "union"}
    | {"hdfs", "smb", "storj"}
)
# Options that run a command, read a file or take a credential of the worker's host; a dot sets rclone's own flags.
_REFUSED_OPTION = re.compile(
    r"\.|command|^ssh$|_file$|^profile$|_profile$|_path$|env_auth|use_m?si|set_env|^remote$|^upstreams$|agent"
    r"|metadata|proxy|ask_password|^_"
)
_TYPE = re.compile(r":([a-z0-9]+)")
_OPTION = re.compile(r""",([a-z0-9_.]+)(?:=("(?:[^"]|"")*"|'(?:[^']|'')*'|[^,:"']*))?""")


def parse(definition: str) -> dict[str, str]:
    """Return the definition in the form that remote control commands take.

    Raises :class:`PermanentError` for what is no definition, or could leave the storage that it names.
    """
    match = _TYPE.match(definition)
    if match is None:
        raise PermanentError("the site's rclone definition must look like :type,option=value:path")
    parsed = {"type": match[1]}
    position = match.end()
    while option := _OPTION.match(definition, position):
        parsed[option[1]] = _unquoted(option[2])
        position = option.end()
    if definition[position : position + 1] != ":":
        raise PermanentError("the site's rclone definition is not well formed")
    checked(parsed)
    return parsed | {"_root": definition[position + 1 :]}


def checked(definition: dict[str, str]) -> dict[str, str]:
    """Return ``definition``; raise :class:`PermanentError` when it could reach the worker's own host."""
    if definition["type"] in REFUSED_TYPES:
        raise PermanentError(f"sites of the rclone type {definition['type']} are not allowed")
    for name in definition.keys() - {"type", "_root"}:
        if _REFUSED_OPTION.search(name):
            raise PermanentError(f"the rclone option {name} is not allowed in a site")
    return definition


def _unquoted(value: str | None) -> str:
    if value is None:
        return "true"
    if value[:1] in ("'", '"'):
        return value[1:-1].replace(value[0] * 2, value[0])
    return value


class Remotes:
    """The remotes that the operator of this host has set up with ``rclone config``; they may be of any type."""

    def __init__(self, config: Path | None = None) -> None:
        self._config = ConfigParser(interpolation=None)
        if config is not None:
            self._config.read_string(config.read_text())

    def named(self, name: str) -> dict[str, str]:
        """Return the definition of the remote ``name``; raises :class:`PermanentError` when there is none."""
        if not self._config.has_section(name):
            raise PermanentError(f"the operator of this worker has no rclone remote {name}")
        return dict(self._config.items(name))

"""Endpoints of sites: URLs of storages, or ``host:port`` of a GridFTP server (spec: workqueue 7.2).

A URL's path is the site's root. Credentials do not belong in it: they come with a log-in.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import IPvAnyNetwork

from chassis.addresses import is_written_internal

HOST_PORT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}):(?P<port>[0-9]{1,5})")
MAX_LENGTH = 2000
S3_OPTIONS = frozenset({"endpoint", "region", "provider", "force_path_style", "storage_class"})
# Storage over the network only, reached by HTTP, SFTP or FTP, which the worker keeps away from internal addresses:
# nothing that reads files of the worker's host, wraps another remote or runs a program.
RCLONE_BACKENDS = frozenset(
    """
    azureblob azurefiles b2 box drive dropbox fichier ftp googlecloudstorage hidrive http jottacloud koofr mailru
    mega netstorage onedrive opendrive pcloud pikpak premiumizeme protondrive putio qingstor s3 seafile sftp sharefile
    sugarsync swift ulozto uptobox webdav yandex zoho
    """.split()  # noqa: SIM905 - a list of words is read as words
)
RCLONE_NAME = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*):(?P<path>.*)")
_OPTION = r"""[a-z][a-z0-9_]*(?:=(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|[^,:"']*))?"""
RCLONE_DEFINITION = re.compile(rf":(?P<backend>[a-z0-9]+)(?P<options>(?:,{_OPTION})*):(?P<path>.*)")
# Whatever would read the worker's files, use the worker's own identity, run a program, or is a credential.
RCLONE_FORBIDDEN = re.compile(
    r"file|path|command|^ssh$|env_auth|socket|agent|askpass|metadata|pass|secret|token|^key|_key|msi|use_az|identity|"
    r"principal|ccache|cert|headers|proxy|credential|^sas_"
)

RCLONE_HOST = re.compile(r""",[a-z0-9_]*(?:host|url|endpoint|server|auth)=["']?(?:https?://)?(\[[^\]]*\]|[^,:/"']+)""")


class BadEndpoint(ValueError):
    """The endpoint cannot be used; the message says why, without the endpoint."""


@dataclass(frozen=True)
class Rules:
    """What the operator allows: directories for ``file://`` and named rclone remotes."""

    file_roots: Sequence[PurePosixPath] = ()
    remotes: Sequence[str] = ()
    networks: Collection[IPvAnyNetwork] = ()
    """Internal networks that sites may lie in."""

    def check_host(self, host: str) -> None:
        """Raise :class:`BadEndpoint` when a host is written as an internal address; workers look at what names mean."""
        if is_written_internal(host.strip("[]"), self.networks):
            raise BadEndpoint("the host is internal: the operator allows networks in TASKYARD_WORKQUEUE_NETWORKS")


def transport_of(endpoint: str, rules: Rules) -> str:
    """Return the transport of an endpoint that is right; raises :class:`BadEndpoint`."""
    if not endpoint or len(endpoint) > MAX_LENGTH or re.search(r"[\0-\x20\x7f]", endpoint):
        raise BadEndpoint("an endpoint is a text of 1 to 2000 characters without blanks")
    if found := HOST_PORT.fullmatch(endpoint):
        if not 0 < int(found["port"]) < 65536:
            raise BadEndpoint("a port is a number from 1 to 65535")
        return "gsiftp"
    if endpoint.startswith("rclone:"):
        _check_rclone(endpoint.removeprefix("rclone:"), rules)
        return "rclone"
    url = _split(endpoint)
    check = CHECKS.get(url.scheme)
    if check is None:
        raise BadEndpoint(f"an endpoint is host:port, rclone:<definition> or a URL of {', '.join(sorted(CHECKS))}")
    check(url, rules)
    return TRANSPORTS.get(url.scheme, url.scheme)


def transport_of_all(endpoints: Sequence[str], rules: Rules) -> str:
    """Return the transport that the endpoints of one site share; raises :class:`BadEndpoint`."""
    transports = {transport_of(endpoint, rules) for endpoint in endpoints}
    if len(transports) != 1:
        raise BadEndpoint("a site has at least one endpoint, and all of one kind")
    return transports.pop()


def below(path: PurePosixPath, roots: Sequence[PurePosixPath]) -> bool:
    """Return whether ``path`` is one of ``roots`` or lies below, by name and, where it exists here, by its links."""
    if ".." in path.parts or not any(path.is_relative_to(root) for root in roots):
        return False
    real = Path(path).resolve()
    return any(real.is_relative_to(Path(root).resolve()) for root in roots)


def _split(endpoint: str) -> SplitResult:
    try:
        url = urlsplit(endpoint)
        _ = url.port
    except ValueError:
        raise BadEndpoint("the endpoint is not a URL") from None
    if url.username is not None or url.password is not None:
        raise BadEndpoint("credentials do not belong in an endpoint: log in at the site instead")
    if url.fragment or ".." in unquote(url.path).split("/"):
        raise BadEndpoint("an endpoint has no fragment and no .. in its path")
    if re.search(r"[\0-\x1f]", unquote(url.path)):
        raise BadEndpoint("an endpoint has no control characters in its path")
    return url


def _check_file(url: SplitResult, rules: Rules) -> None:
    if url.netloc or url.query:
        raise BadEndpoint("a file endpoint has neither host nor query: file:///directory")
    if not below(PurePosixPath(unquote(url.path) or "/"), rules.file_roots):
        raise BadEndpoint("a file endpoint must lie below a directory that the operator allows")


def _check_host(url: SplitResult, rules: Rules) -> None:
    if not url.hostname or url.query:
        raise BadEndpoint(f"a {url.scheme} endpoint has a host and no query: {url.scheme}://host/directory")
    rules.check_host(url.hostname)


def _check_s3(url: SplitResult, rules: Rules) -> None:
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    if not url.netloc or ":" in url.netloc or not options.keys() <= S3_OPTIONS:
        raise BadEndpoint(f"an s3 endpoint is s3://bucket/prefix with no query but {', '.join(sorted(S3_OPTIONS))}")
    if not re.fullmatch(r"(https?://[^/?#@\s]+/?)?", options.get("endpoint", "")):
        raise BadEndpoint("the endpoint of an s3 bucket is http(s)://host[:port]")
    rules.check_host(urlsplit(options.get("endpoint", "")).hostname or "")
    if any(re.search(r"[^A-Za-z0-9_.-]", value) for name, value in options.items() if name != "endpoint"):
        raise BadEndpoint("options of an s3 endpoint are plain words")


def _check_rclone(definition: str, rules: Rules) -> None:
    """Allow ``:backend,option=value:path`` of a network storage, and ``name:path`` of the operator's remotes."""
    found = RCLONE_DEFINITION.fullmatch(definition) or RCLONE_NAME.fullmatch(definition)
    if found is None:
        raise BadEndpoint("an rclone endpoint is rclone:<name>:<path> or rclone::backend,option=value:<path>")
    if ".." in found["path"].split("/"):
        raise BadEndpoint("an endpoint has no .. in its path")
    if re.search(r"//[^/,]*@", definition):
        raise BadEndpoint("credentials do not belong in an endpoint: log in at the site instead")
    if found.re is RCLONE_NAME:
        if found["name"] not in rules.remotes:
            raise BadEndpoint("an rclone remote by name must be one that the operator allows")
    elif found["backend"] not in RCLONE_BACKENDS:
        raise BadEndpoint("the backend of an rclone definition must be a storage over the network")
    elif any(RCLONE_FORBIDDEN.search(name) for name in re.findall(r",([a-z][a-z0-9_]*)", found["options"])):
        raise BadEndpoint("an option of the rclone definition is not allowed; credentials come with a log-in")
    else:
        for host in RCLONE_HOST.findall(found["options"]):
            rules.check_host(host)


CHECKS: dict[str, Callable[[SplitResult, Rules], None]] = {
    "file": _check_file,
    "s3": _check_s3,
    **dict.fromkeys(("sftp", "webdav", "webdavs", "http", "https", "ftp"), _check_host),
}
TRANSPORTS = {"webdavs": "webdav", "https": "http"}
READ_ONLY = frozenset({"http"})
LOGIN_REQUIRED = frozenset({"gsiftp", "sftp", "ftp", "s3", "webdav", "rclone"})

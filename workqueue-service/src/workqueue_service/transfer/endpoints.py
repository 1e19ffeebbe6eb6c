"""Endpoint URLs of sites, as remote definitions for rclone."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from workqueue_service.transfer.definitions import Remotes, checked, parse
from workqueue_service.transfer.errors import PermanentError

Credentials = Mapping[str, Any]

_SECRET = re.compile("pass|secret|token|key|proxy")
# How storages call what a log-in calls username and password.
_OWN_NAMES = {"s3": {"username": "access_key_id", "password": "secret_access_key", "session_token": "session_token"}}
# rclone wants passwords in a reversible form of its own; the daemon makes it.
PASSWORD_OPTIONS = frozenset({"pass", "key_file_pass"})


@dataclass(frozen=True)
class Host:
    """What the operator of the worker's host allows and knows."""

    directories: Sequence[Path] = ()
    """Below which ``file://`` sites may lie."""
    known_hosts: str = ""
    """Path of the file with the keys of SFTP servers."""
    remotes: Remotes = field(default_factory=Remotes)
    proxy: str = ""
    """The SOCKS proxy through which connections leave that are not HTTP, as ``host:port``."""


@dataclass(frozen=True)
class Endpoint:
    """Where a site is, and what it takes to get in. ``repr`` shows no credential."""

    transport: str
    options: Mapping[str, str]
    root: str
    secrets: tuple[str, ...] = ()
    obscured: bool = False
    """Whether the passwords in it are already in rclone's own form."""

    def __repr__(self) -> str:
        return f"Endpoint({self.transport})"

    @property
    def staged(self) -> bool:
        """Whether an upload stands under its name before it is whole, so that it needs another name first."""
        return self.options["type"] == "webdav"

    @property
    def has_login_directory(self) -> bool:
        """Whether ``~`` can be left to the server: it can when the site is the whole server."""
        return self.transport in ("sftp", "ftp") and self.root in ("", "/")


def endpoint(url: str, credentials: Credentials, host: Host) -> Endpoint:
    """Return the endpoint behind ``url``; raises :class:`PermanentError` when there is no way to use it."""
    transport, _, rest = url.partition(":")
    if transport == "rclone":
        return _of_definition(rest, credentials, host)
    options, root = _of_url(transport, urlsplit(url), credentials)
    if transport == "sftp":
        # Without the operator's list of hosts any server is believed, as there is nothing to compare it with.
        options["known_hosts_file"] = host.known_hosts or "none"
    return Endpoint(transport, options | _way_out(options["type"], host), root, _secrets(credentials))


def _way_out(kind: str, host: Host) -> dict[str, str]:
    return {"socks_proxy": host.proxy} if host.proxy and kind in ("sftp", "ftp") else {}


def _of_definition(definition: str, credentials: Credentials, host: Host) -> Endpoint:
    if not definition.startswith(":"):
        name, _, path = definition.partition(":")
        options = host.remotes.named(name)
        return Endpoint("rclone", options, path, _secrets(options), obscured=True)
    options = parse(definition)
    root = options.pop("_root")
    extra = {name: str(value) for name, value in (credentials.get("options") or {}).items()}
    own = _OWN_NAMES.get(options["type"], {"username": "user", "password": "pass"})
    given = {own[name]: str(value) for name, value in credentials.items() if value and name in own}
    whole = checked(options | given | extra) | _way_out(options["type"], host)
    return Endpoint("rclone", whole, root, _secrets(credentials) + _secrets(extra))


def _secrets(values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(value) for name, value in values.items() if value and _SECRET.search(name))


def _of_url(transport: str, url: SplitResult, credentials: Credentials) -> tuple[dict[str, str], str]:
    build = _BUILDERS.get(transport)
    if build is None:
        raise PermanentError(f"sites of the kind {transport} are not for this worker")
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    options, root = build(url, query, credentials)
    return {name: value for name, value in options.items() if value}, root


Built = tuple[dict[str, str], str]
Builder = Callable[[SplitResult, dict[str, str], Credentials], Built]


def _file(url: SplitResult, _: dict[str, str], __: Credentials) -> Built:
    if url.netloc not in ("", "localhost"):
        raise PermanentError("a file endpoint names no host")
    # The names on the disk are used as they are; without this rclone takes some characters for its own.
    return {"type": "local", "encoding": "None"}, unquote(url.path)


def _sftp(url: SplitResult, _: dict[str, str], credentials: Credentials) -> Built:
    return {
        "type": "sftp",
        **_server(url, credentials),
        "key_pem": credentials.get("private_key", "").replace("\n", "\\n"),
        "key_file_pass": credentials.get("passphrase", ""),
        "skip_links": "true",
    }, unquote(url.path)


def _ftp(url: SplitResult, _: dict[str, str], credentials: Credentials) -> Built:
    return {"type": "ftp", **_server(url, credentials)}, unquote(url.path)


def _server(url: SplitResult, credentials: Credentials) -> dict[str, str]:
    return {
        "host": url.hostname or "",
        "port": str(url.port or ""),
        "user": credentials.get("username") or unquote(url.username or ""),
        "pass": credentials.get("password", ""),
    }


def _s3(url: SplitResult, query: dict[str, str], credentials: Credentials) -> Built:
    address = query.get("endpoint", "")
    return {
        "type": "s3",
        "provider": query.get("provider") or ("Other" if address else "AWS"),
        "endpoint": address,
        "region": query.get("region", ""),
        "access_key_id": credentials.get("username", ""),
        "secret_access_key": credentials.get("password", ""),
        "session_token": credentials.get("session_token", ""),
        "force_path_style": query.get("force_path_style") or ("true" if address else ""),
        "storage_class": query.get("storage_class", ""),
        # The bucket is there or the job fails; nobody asked for a new one.
        "no_check_bucket": "true",
    }, (url.netloc + unquote(url.path)).rstrip("/")


def _webdav(url: SplitResult, _: dict[str, str], credentials: Credentials) -> Built:
    return {
        "type": "webdav",
        "url": _address(url),
        "vendor": "other",
        "user": credentials.get("username", ""),
        "pass": credentials.get("password", ""),
        "bearer_token": credentials.get("token", ""),
    }, ""


def _http(url: SplitResult, _: dict[str, str], credentials: Credentials) -> Built:
    return {"type": "http", "url": _address(url), "headers": _authorization(credentials)}, ""


def _address(url: SplitResult) -> str:
    scheme = {"webdav": "http", "webdavs": "https"}.get(url.scheme, url.scheme)
    host = url.netloc.rpartition("@")[2]
    return f"{scheme}://{host}{url.path.rstrip('/')}/"


def _authorization(credentials: Credentials) -> str:
    if token := credentials.get("token"):
        return f'"Authorization","Bearer {token}"'
    if name := credentials.get("username"):
        pair = f"{name}:{credentials.get('password', '')}"
        return f'"Authorization","Basic {b64encode(pair.encode()).decode()}"'
    return ""


_BUILDERS: dict[str, Builder] = {
    "file": _file,
    "sftp": _sftp,
    "ftp": _ftp,
    "s3": _s3,
    "webdav": _webdav,
    "webdavs": _webdav,
    "http": _http,
    "https": _http,
}


class Redactor:
    """Takes secrets out of texts that people will read."""

    def __init__(self, *endpoints: Endpoint) -> None:
        secrets = {secret for endpoint in endpoints for secret in endpoint.secrets}
        forms = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return ``text`` with every secret, plain or as in URLs, replaced by ``***``."""
        for form in self._forms:
            text = text.replace(form, "***")
        return text

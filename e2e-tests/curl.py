"""Sends a curl command of the documentation the way curl would."""

import shlex
from http.cookiejar import MozillaCookieJar
from pathlib import Path

import requests

FORM = "application/x-www-form-urlencoded"


def curl(command: str, directory: Path) -> requests.Response:
    """Run ``command``; cookie jars (``-b``, ``-c``) are files in ``directory``.

    Understands what the documentation uses, and refuses the rest.
    """
    words = iter(shlex.split(command.replace("\\\n", " ")))
    assert next(words) == "curl"
    method, url, data, jar = "", "", None, None
    headers: dict[str, str] = {}
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(":")
                headers[name] = value.strip()
            case "-d":
                data = next(words)
            case "-b" | "-c":
                jar = MozillaCookieJar(directory / next(words))
            case _:
                assert not word.startswith("-"), word
                url = word
    if jar is not None and Path(str(jar.filename)).exists():
        jar.load(ignore_discard=True)
    return _send(method or ("POST" if data else "GET"), url, data, headers, jar)


def _send(
    method: str, url: str, data: str | None, headers: dict[str, str], jar: MozillaCookieJar | None
) -> requests.Response:
    with requests.Session() as session:
        session.headers = {"Accept": "*/*", "User-Agent": "curl/8"}  # type: ignore[assignment]
        if jar is not None:
            session.cookies.update(jar)
        body = None if data is None else data.encode()
        answer = session.request(
            method, url, data=body, headers=({"Content-Type": FORM} if data else {}) | headers, timeout=30
        )
        if jar is not None:
            jar.clear()
            for cookie in session.cookies:
                jar.set_cookie(cookie)
            jar.save(ignore_discard=True)
        return answer

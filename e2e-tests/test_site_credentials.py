"""What somebody logs in with at a site is in no answer, no event and no log of the whole house, whatever goes wrong."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from actors import Person, unique
from watch import watching

from chassis.events import Event
from chassis.testing.waiting import eventually
from embedded.house import House
from workqueue_service.transfer.testing_storages import Place, Servers

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

QUEUE = "/workqueue/api/v1.0"
SITE = "/site/api/v1.0"
WRONG = "wr0ng-Passw0rd-4711"
KINDS = ("sftp", "s3", "webdav", "ftp", "http")


@pytest.fixture
def seen(house: House) -> Iterator[list[Event]]:
    """Every event from now on."""
    with watching(house.env("workqueue")["TASKYARD_AMQP_URL"]) as seen:
        yield seen


class Answers:
    """A person who remembers every answer."""

    def __init__(self, person: Person) -> None:
        self.person, self.texts = person, [""]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return the answer's JSON, ``None`` for an empty one."""
        answer = self.person.session.request(method, self.person.gate + path, json=body, timeout=30)
        self.texts.append(f"{answer.headers}{answer.text}")
        assert answer.status_code in (200, 400), answer.text
        return answer.json() if answer.content else None

    def lists(self, place: Place, credentials: dict[str, str]) -> str:
        """Log in and list, look at everything there is, and return how the job ended."""
        body = {"site_name": unique(place.kind), "endpoints": place.site["endpoints"], "public": True}
        site = self.ask("POST", f"{SITE}/site", body)
        self.ask("POST", f"{SITE}/session/{site}", {**credentials, "lifetime": "x"})
        self.ask("POST", f"{SITE}/session/{site}", {**credentials, "login": True})
        job = self.ask("POST", f"{QUEUE}/list", {"src_siteid": site, "src_filepath": "/", "max_tries": 1})["id"]
        ended = ("DONE", "FAILED")
        state = f"{QUEUE}/jobs/{job}/status"
        status = eventually(lambda: found if (found := self.ask("GET", state)["status"]) in ended else None, 60)
        for rest in ("", "/elements", "/elements/0", "/output", "/output?view=all", "/elements/0/output"):
            self.ask("GET", f"{QUEUE}/jobs/{job}{rest}")
        for path in (f"{SITE}/site", f"{SITE}/site/{site}", f"{SITE}/session/{site}", f"{QUEUE}/jobs"):
            self.ask("GET", path)
        return str(status)


def test_no_credential_appears_anywhere(gate: str, house: House, servers: Servers, seen: list[Event]) -> None:
    answers, stranger = Answers(Person.register(gate)), Answers(Person.register(gate))
    secrets = {WRONG}
    for kind in KINDS:
        place = servers.place(kind)
        place.put("x")
        right: dict[str, str] = place.site["credentials"]
        secrets.add(right["password"])
        assert answers.lists(place, right) == "DONE", answers.texts
        assert answers.lists(place, right | {"password": WRONG}) == "FAILED"
    for path in (f"{SITE}/site", f"{QUEUE}/jobs"):
        stranger.ask("GET", path)
    eventually(lambda: sum(event.type == "workqueue.job.failed" for event in seen) >= len(KINDS), 30)
    told = json.dumps([event.data for event in seen])
    logs = "".join(path.read_text(errors="replace") for path in sorted(house.logs.rglob("*")) if path.is_file())
    assert "workqueue.job.failed" in {event.type for event in seen}
    assert "workqueue" in logs
    everything = told + logs + "".join(answers.texts + stranger.texts)
    for secret in secrets:
        assert secret not in everything
        assert json.dumps(secret)[1:-1] not in everything

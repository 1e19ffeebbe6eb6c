"""What is taken away is gone at the very next request."""

import requests
from actors import Machine, Person


def test_a_paused_worker_gets_nothing_more(admin: Person, machine: Machine, project: int) -> None:
    """spec: tracker 5.7"""
    machine.submit(project, 2)
    assert machine.task(project)
    assert admin.post("/worker/set_paused", {"worker": machine.id, "paused": True}).json() == {"ok": True}
    refusal = machine.get(f"/task/get/{project}")
    assert (refusal.status_code, refusal.json()["message"]) == (400, "A manager has paused you")
    admin.post("/worker/set_paused", {"worker": machine.id, "paused": False})
    assert machine.task(project)


def test_revoked_access_ends_at_once(gate: str, admin: Person) -> None:
    """spec: tracker 2.4, Q-25"""
    project = admin.create_project()
    machine = Machine.create(gate)
    admin.admit(machine, project)
    machine.submit(project, 1)
    assert admin.post(f"/project/reject_request/{project}/{machine.id}").json() == {"ok": True}
    assert machine.task(project) is None
    refusal = machine.post("/task/submit", {"project": project, "recipe": "x"})
    assert (refusal.status_code, refusal.json()["message"]) == (400, "unauthorized task submit")


def test_a_removed_role_ends_at_once(gate: str, admin: Person) -> None:
    """spec: tracker 2.3"""
    project = admin.create_project(hidden=True)
    helper = Person.register(gate)
    admin.post(f"/manager/set_role_for_project/{project}", {"manager": helper.id, "role": 1})
    assert helper.get(f"/project/get/{project}").status_code == 200
    admin.post(f"/manager/set_role_for_project/{project}", {"manager": helper.id, "role": 0})
    assert helper.get(f"/project/get/{project}").status_code == 403


def test_a_demoted_administrator_is_none_at_once(gate: str, admin: Person) -> None:
    """spec: tracker Q-09"""
    helper = Person.register(gate)
    assert admin.get(f"/manager/promote/{helper.id}").status_code == 204
    helper.create_project(public=True)
    assert admin.get(f"/manager/demote/{helper.id}").status_code == 204
    assert helper.post("/project/create", {"name": "mine", "public": True}).status_code == 400


def test_logout_ends_the_session_at_once_and_for_a_stolen_cookie(gate: str) -> None:
    """spec: tracker Q-20"""
    person = Person.register(gate)
    stolen = {"Cookie": f"tt={person.session.cookies['tt']}"}
    assert requests.get(gate + "/account", headers=stolen, timeout=9).json()["ok"] is True
    assert person.get("/logout").status_code == 204
    assert requests.get(gate + "/account", headers=stolen, timeout=9).json()["ok"] is False
    refusal = requests.post(gate + "/project/create", data='{"name":"x"}', headers=stolen, timeout=9)
    assert refusal.status_code == 400


def test_a_revoked_key_ends_at_once(gate: str) -> None:
    """A key of DESIGN 4 works for both services until it is deleted."""
    person = Person.register(gate)
    key = person.post("/auth/keys", {"name": "script"}).json()
    holder = {"Authorization": f"Bearer {key['key']}"}
    created = requests.post(gate + "/project/create", data=f'{{"name":"{key["id"]}"}}', headers=holder, timeout=9)
    assert created.status_code == 200
    assert person.session.delete(f"{gate}/auth/keys/{key['id']}", timeout=9).status_code == 204
    refusal = requests.post(gate + "/project/create", data='{"name":"late"}', headers=holder, timeout=9)
    assert refusal.status_code == 400
    assert requests.get(gate + "/account", headers=holder, timeout=9).json()["ok"] is False


def test_a_token_of_auth_is_good_at_the_tracker(gate: str, admin: Person, project: int) -> None:
    """DESIGN 4: POST /auth/token"""
    machine = Machine.create(gate)
    token = machine.post("/auth/token", {"worker_id": machine.id, "secret": machine.secret}).json()
    assert token["token_type"] == "Bearer"
    for name, value in (("Authorization", "Bearer " + token["access_token"]), ("X-Token", token["access_token"])):
        answer = requests.get(f"{gate}/task/get/{project}", headers={name: value}, timeout=9)
        assert answer.json() == {"ok": False, "message": "No task available"}

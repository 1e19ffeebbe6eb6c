"""Sites and log-ins (spec: workqueue 7.2), and which endpoints are allowed."""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from chassis.database import Database
from workqueue_service import leases
from workqueue_service.endpoints import BadEndpoint, Rules, below, transport_of, transport_of_all
from workqueue_service.outcomes import Backoff
from workqueue_service.testing import SITE, PdmWorker, Person, Worker

RULES = Rules((PurePosixPath("/srv/taskyard"), PurePosixPath("/data")), ("store",))
SITES = f"{SITE}/site"


@pytest.mark.parametrize(
    ("endpoint", "transport"),
    [
        ("host.example:2811", "gsiftp"),
        ("file:///srv/taskyard", "file"),
        ("file:///data/a%20b/c", "file"),
        ("sftp://host:22/", "sftp"),
        ("sftp://host/data/x", "sftp"),
        ("sftp://[2606:4700::1]:22/", "sftp"),
        ("ftp://host/pub", "ftp"),
        ("http://host:8080/files/", "http"),
        ("https://host/files", "http"),
        ("webdav://host/dav", "webdav"),
        ("webdavs://host:8443/dav/", "webdav"),
        ("s3://bucket", "s3"),
        ("s3://bucket/prefix?endpoint=https://s3.example:9000&region=eu-1&force_path_style=true", "s3"),
        ("rclone:store:path/below", "rclone"),
        ("rclone::sftp,host=h.example,port=2222:path", "rclone"),
        ('rclone::webdav,url="https://dav.example/x,y",vendor=other:', "rclone"),
        ("rclone::b2:bucket/dir", "rclone"),
    ],
)
def test_endpoints_that_are_allowed(endpoint: str, transport: str) -> None:
    """The schemes of the design."""
    assert transport_of(endpoint, RULES) == transport


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "host",
        "host:0",
        "host:70000",
        "-host:22",
        "gopher://host/",
        "sftp://",
        "sftp:///path",
        "sftp://user@host/",
        "sftp://user:pw@host/",
        "sftp://host:port/",
        "sftp://host/a/../../b",
        "sftp://host/%2e%2e/b",
        "sftp://host/?key_file=/etc/shadow",
        "sftp://host/#x",
        "sftp://ho st/",
        "sftp://host/a%0ab",
        "https://host/a?b",
        "http://" + "h" * 2000,
        "file:///",
        "file:///etc",
        "file:///srv",
        "file:///srv/taskyardx",
        "file:///srv/taskyard/../x",
        "file:///srv/taskyard/%2e%2e/x",
        "file://host/srv/taskyard",
        "file:/etc",
        "file:srv/taskyard",
        "file:///srv/taskyard?x",
        "FILE:///etc",
        "s3://",
        "s3://key:secret@bucket",
        "s3://bucket:80",
        "s3://bucket?access_key_id=x",
        "s3://bucket?endpoint=file:///etc",
        "s3://bucket?endpoint=https://user:pw@host",
        "s3://bucket?endpoint=https://host/path/x",
        "s3://bucket?region=eu,env_auth",
        "rclone:",
        "rclone:unknown:path",
        "rclone:store",
        "rclone:store:a/../b",
        "rclone::local:/etc",
        "rclone:/etc",
        "rclone::alias,remote=/etc:",
        "rclone::crypt,remote=/etc:",
        "rclone::union,upstreams=/etc:",
        "rclone::sftp,host=h,ssh=touch:path",
        "rclone::sftp,host=h,key_file=x:path",
        "rclone::sftp,host=h,server_command=x:path",
        "rclone::sftp,host=h,pass=x:path",
        "rclone::s3,env_auth=true:bucket",
        "rclone::s3,env_auth:bucket",
        "rclone::s3,secret_access_key=x:bucket",
        "rclone::s3,override.x=1:bucket",
        "rclone::s3,global.metadata_mapper=x:bucket",
        "rclone::googlecloudstorage,service_account_file=x:bucket",
        "rclone::webdav,bearer_token_command=x:",
        "rclone::webdav,url='https://x',x",
        'rclone::webdav,url="https://user:pw@host":',
        "rclone::http,headers=x:",
        'rclone::drive,service_account_credentials="{}":',
        "rclone::azureblob,sas_url=x:container",
    ],
)
def test_endpoints_that_are_refused(endpoint: str) -> None:
    """Nothing reads a file of the worker's host, runs a program, carries a credential or leaves its directory."""
    with pytest.raises(BadEndpoint):
        transport_of(endpoint, RULES)


@pytest.mark.parametrize(
    "endpoint",
    [
        "sftp://127.0.0.1:22/",
        "sftp://[::1]/",
        "ftp://localhost/",
        "http://169.254.169.254/latest/meta-data/",
        "https://2130706433/",
        "webdav://0x7f.1/",
        "webdavs://192.168.1.1/",
        "s3://bucket?endpoint=http://10.0.0.1:9000",
        "rclone::sftp,host=127.1:",
        "rclone::webdav,url='http://172.16.0.1/x':",
        'rclone::s3,provider=Other,endpoint="https://[::1]:9000":bucket',
    ],
)
def test_endpoints_inside_the_house(endpoint: str) -> None:
    """The workers must not reach for users what users cannot reach, unless the operator allows it."""
    with pytest.raises(BadEndpoint, match="TASKYARD_WORKQUEUE_NETWORKS"):
        transport_of(endpoint, RULES)
    assert transport_of(endpoint, Rules(networks=[ip_network("0.0.0.0/0"), ip_network("::/0")]))


def test_without_directories_there_are_no_file_endpoints() -> None:
    """The operator has to allow them."""
    with pytest.raises(BadEndpoint, match="directory that the operator allows"):
        transport_of("file:///srv/taskyard", Rules())


def test_links_do_not_lead_out_of_a_directory(tmp_path: Path) -> None:
    """A link below an allowed directory to one outside is none that is allowed."""
    (tmp_path / "root" / "inside").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "in").symlink_to(tmp_path / "root" / "inside")
    roots = [PurePosixPath(tmp_path / "root")]
    assert below(PurePosixPath(tmp_path / "root" / "in" / "x"), roots)
    assert not below(PurePosixPath(tmp_path / "root" / "out"), roots)
    assert not below(PurePosixPath(tmp_path / "root" / "out" / "x"), roots)
    assert not below(PurePosixPath(tmp_path / "root" / ".." / "outside"), roots)


def test_the_endpoints_of_a_site_are_of_one_kind() -> None:
    """A worker chooses any of them."""
    assert transport_of_all(["http://a/", "https://b/"], RULES) == "http"
    for endpoints in ([], ["http://a/", "ftp://a/"]):
        with pytest.raises(BadEndpoint, match="all of one kind"):
            transport_of_all(endpoints, RULES)


def test_registering(user: Person, person: Callable[..., Person]) -> None:
    """spec: workqueue 7.2: the id as a number; public sites and one's own are visible."""
    body = {
        "site_name": "lab",
        "site_desc": "Ours",
        "endpoints": ["host:2811"],
        "auth_uri": "host:7512",
        "auth_type": 1,
    }
    answer = user.post(SITES, {**body, "auth_type": 1, "user_ca_cert": "PEM", "def_path": "/x"})
    assert (answer.status_code, answer.json) == (200, 1)
    short = {"site_id": 1, "site_name": "lab", "site_desc": "Ours", "def_path": "/x", "public": False, "is_owner": True}
    assert user.get(SITES).json == [short]
    assert user.get(f"{SITES}/1").json == {
        **short,
        "auth_type": 1,
        "auth_uri": "host:7512",
        "user_ca_cert": "PEM",
        "service_ca_cert": None,
        "endpoints": ["host:2811"],
        "transport": "gsiftp",
        "home": None,
        "login_required": True,
        "max_transfers": None,
        "bandwidth": None,
    }
    stranger = person(4)
    assert stranger.get(SITES).json == []
    assert stranger.get(f"{SITES}/1").status_code == 404
    assert stranger.delete(f"{SITES}/1").status_code == 404
    user.post(SITES, {**body, "site_name": "all", "public": True})
    assert [(row["site_id"], row["is_owner"]) for row in stranger.get(SITES).json] == [(2, False)]
    assert stranger.delete(f"{SITES}/2").status_code == 404
    assert user.get(f"{SITES}/99").status_code == 404


def test_a_name_is_taken_once(user: Person, person: Callable[..., Person], site: int) -> None:
    """spec: workqueue 7.2: 409."""
    body = {"site_name": "lab", "endpoints": ["file:///srv/taskyard/x"]}
    assert person(4).post(SITES, body).status_code == 409


@pytest.mark.parametrize(
    "wrong",
    [
        {"site_name": None},
        {"site_name": ""},
        {"site_name": "x" * 101},
        {"site_name": "a\0b"},
        {"site_desc": 3},
        {"public": "yes"},
        {"auth_type": 2},
        {"auth_uri": "no port"},
        {"endpoints": None},
        {"endpoints": []},
        {"endpoints": "file:///srv/taskyard"},
        {"endpoints": ["file:///etc"]},
        {"endpoints": [3]},
        {"endpoints": ["file:///srv/taskyard"] * 101},
        {"home": "relative"},
        {"home": "/a/../.."},
        {"max_transfers": 0},
        {"bandwidth": -1},
    ],
)
def test_wrong_sites(user: Person, database: Database, wrong: dict[str, Any]) -> None:
    """spec: workqueue 7.2: 400."""
    body = {"site_name": "lab", "endpoints": ["file:///srv/taskyard"], **wrong}
    assert user.post(SITES, body).status_code == 400
    assert database.value("SELECT count(*) FROM site") == 0


@pytest.mark.parametrize(
    ("endpoint", "home"),
    [
        ("sftp://host/", None),
        ("sftp://host", None),
        ("ftp://host/", None),
        ("sftp://host/data", "/"),
        ("host:2811", None),
        ("s3://bucket", "/"),
        ("https://host/", "/"),
    ],
)
def test_the_home_of_users(user: Person, endpoint: str, home: str | None) -> None:
    """The log-in directory where the whole server is the site, otherwise the root unless the owner says."""
    user.post(SITES, {"site_name": "a", "endpoints": [endpoint]})
    assert user.get(f"{SITES}/1").json["home"] == home
    user.post(SITES, {"site_name": "b", "endpoints": [endpoint], "home": "//home//{user}/"})
    assert user.get(f"{SITES}/2").json["home"] == "/home/{user}"


def test_sessions(
    user: Person, person: Callable[..., Person], make_site: Callable[..., int], database: Database
) -> None:
    """spec: workqueue 7.2."""
    far = make_site("far", endpoints=["sftp://far.example/"])
    path = f"{SITE}/session/{far}"
    assert user.get(path).json == {"ok": False}
    assert user.delete(path).status_code == 200
    answer = user.post(path, {"username": "ada", "password": "s3cret", "lifetime": 1})
    assert (answer.status_code, answer.data) == (200, b"")
    session = user.get(path).json
    assert (session["ok"], session["username"]) == (True, "ada")
    assert set(session) == {"ok", "username", "expiry"}
    assert person(4).get(path).json == {"ok": False}
    left = database.value("SELECT extract(epoch FROM expires_at - now())::int FROM site_session")
    assert 3590 < left <= 3600
    database.execute("UPDATE site_session SET expires_at = now()")
    assert user.get(path).json["ok"] is False
    answer = user.delete(path)
    assert (answer.status_code, answer.data) == (200, b"")
    assert user.get(path).json == {"ok": False}


@pytest.mark.parametrize(
    "wrong", [{"lifetime": 0}, {"lifetime": "long"}, {"password": 3}, {"username": "a\0"}, {"options": {"x": "y"}}, []]
)
def test_wrong_log_ins(user: Person, make_site: Callable[..., int], wrong: Any) -> None:
    """spec: workqueue 7.2: 400 on failure."""
    far = make_site("far", endpoints=["sftp://far.example/"])
    body = {"username": "ada", "password": "x", **wrong} if isinstance(wrong, dict) else wrong
    assert user.post(f"{SITE}/session/{far}", body).status_code == 400
    assert user.get(f"{SITE}/session/{far}").json == {"ok": False}


def test_grid_sites_take_a_proxy(user: Person, make_site: Callable[..., int]) -> None:
    """spec: workqueue 5.1: PDM workers need an ASCII text."""
    grid = make_site("grid", endpoints=["grid.example:2811"])
    for body in ({"username": "ada", "password": "x"}, {"proxy": ""}, {"proxy": "ü"}):
        assert user.post(f"{SITE}/session/{grid}", body).status_code == 400
    assert user.post(f"{SITE}/session/{grid}", {"proxy": "PEM"}).status_code == 200


@pytest.mark.parametrize(
    "name", ["key_file", "ssh", "bearer_token_command", "env_auth", "config_file", "UPPER", "a b", "x=y"]
)
def test_options_of_rclone_sites(user: Person, make_site: Callable[..., int], name: str) -> None:
    """Credentials may stand in them, files and programs of the worker's host may not."""
    remote = make_site("remote", endpoints=["rclone::b2:bucket"])
    path = f"{SITE}/session/{remote}"
    assert user.post(path, {"options": {"account": "a", "key": "k"}}).status_code == 200
    assert user.post(path, {"options": {name: "x"}}).status_code == 400
    assert user.post(path, {"options": {"key": 3}}).status_code == 400


def test_log_ins_need_a_visible_site(
    person: Callable[..., Person], user: Person, make_site: Callable[..., int]
) -> None:
    """A hidden site is none."""
    hidden = make_site("hidden", public=False)
    assert person(4).post(f"{SITE}/session/{hidden}", {"username": "x"}).status_code == 404


def test_deleting_a_site_ends_its_jobs(user: Person, worker: Worker, site: int, other_site: int) -> None:
    """No job waits for a storage that is gone."""
    copy = user.submit("copy", other_site, dst_siteid=site, dst_filepath="/x")
    running = user.submit("list", site)
    other = user.submit("list", other_site)
    taken = {element["job_id"]: element for element in worker.take()}
    user.submit("list", site)
    answer = user.delete(f"{SITES}/{site}")
    assert (answer.status_code, answer.data) == (200, b"")
    assert [user.job(number)["status"] for number in (copy, running, 4)] == ["FAILED"] * 3
    assert user.job(other)["status"] == "SUBMITTED"
    assert worker.report(taken[running], listing={}).status_code == 403
    assert "A site of this job was deleted" in user.elements(running)[0]["reason"]
    assert worker.take() == []


def test_jobs_whose_login_ended_end_too(
    user: Person, worker: Worker, make_site: Callable[..., int], database: Database
) -> None:
    """They would wait without a word; the reason says what to do, and a retry does it."""
    far = make_site("far", endpoints=["sftp://far.example/"])
    session = f"{SITE}/session/{far}"
    user.post(session, {"username": "ada", "password": "x"})
    job = user.submit("list", far)
    user.delete(session)
    assert worker.take() == []
    leases.end_without_login(database, Backoff(0, 0))
    assert user.job(job)["status"] == "FAILED"
    assert user.elements(job)[0]["reason"] == f"No active login at site {far} (far): log in and try the job again"
    assert user.post(f"/jobs/{job}/retry").status_code == 400
    user.post(session, {"username": "ada", "password": "x"})
    assert user.post(f"/jobs/{job}/retry").status_code == 200
    assert len(worker.take()) == 1


def test_deleting_a_user(user: Person, person: Callable[..., Person], site: int, make_site: Callable[..., int]) -> None:
    """spec: workqueue 7.2: self only."""
    assert person(4).delete(f"{SITE}/user/{user.id}").status_code == 403
    far = make_site("far", endpoints=["sftp://far.example/"])
    user.post(f"{SITE}/session/{far}", {"username": "x"})
    job = user.submit("list", site)
    assert user.delete(f"{SITE}/user/{user.id}").status_code == 200
    assert user.get(SITES).json == []
    assert user.job(job)["status"] == "FAILED"


def test_endpoints_for_pdm_workers(user: Person, pdm_worker: PdmWorker, make_site: Callable[..., int]) -> None:
    """spec: workqueue 6.7, 7.2: a list that is never empty, no certificate twice."""
    plain = make_site("plain", endpoints=["a:1", "b:2"])
    same = make_site("same", endpoints=["a:1"], user_ca_cert="PEM", service_ca_cert="PEM")
    both = make_site("both", endpoints=["a:1"], user_ca_cert="U", service_ca_cert="S")
    local = make_site("local")
    expected = {plain: {"endpoints": ["a:1", "b:2"]}, same: {"endpoints": ["a:1"], "cas": ["PEM"]}}
    expected[both] = {"endpoints": ["a:1"], "cas": ["U", "S"]}
    for number, answer in expected.items():
        assert pdm_worker.get(f"{SITE}/endpoint/{number}").json == answer
    for number in (local, 99):
        assert pdm_worker.get(f"{SITE}/endpoint/{number}").status_code == 404


def test_the_service(user: Person) -> None:
    """spec: workqueue 7.2: open to everybody."""
    assert user.client.get(f"{SITE}/service").json == {"vos": []}

"""The root, and what the tracker's dialect says of paths and methods."""

from chassis.testing.contract_client import ContractClient


def test_root_names_the_tracker(client: ContractClient) -> None:
    """spec: tracker 4.1"""
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.json == {"ok": True, "content": {"name": "task_tracker", "version": "1.1"}}


def test_unknown_paths_wrong_methods_and_trailing_slashes_are_not_found(client: ContractClient) -> None:
    """spec: tracker 1.1"""
    for method, path in (
        ("GET", "/nowhere"),
        ("POST", "/"),
        ("HEAD", "/"),
        ("GET", "/PROJECT/list"),
        ("GET", "/project/list/"),
    ):
        answer = client.open(path, method=method)
        assert answer.status_code == 404
        assert answer.get_data() == (b"" if method == "HEAD" else b"Not found")
        assert answer.content_type == "text/plain; charset=utf-8"


def test_options_is_answered_everywhere(client: ContractClient) -> None:
    """spec: tracker 1.1"""
    answer = client.options("/nowhere")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"

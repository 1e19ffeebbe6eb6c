"""Every route says who may call it, in the words of the contract."""

from typing import Any

from flask import Flask

from chassis.contracts import Contract


def _documented(app: Flask) -> dict[str, Any]:
    """Views by operation id."""
    contract = Contract.load("tracker")
    views = {}
    for operation in contract.operations.values():
        adapter = app.url_map.bind("tracker")
        path = operation.path.replace("{", "").replace("}", "")
        endpoint, _ = adapter.match(path, method=operation.method.upper())
        views[operation.id] = app.view_functions[endpoint]
    return views


def test_every_documented_route_is_served_and_names_its_callers(app: Flask) -> None:
    """contracts/README.md, x-taskyard-callers"""
    contract = Contract.load("tracker")
    views = _documented(app)
    stated = {name: getattr(view, "callers", None) for name, view in views.items()}
    assert stated == {name: contract.operations[name].callers for name in views}


def test_every_served_route_is_documented(app: Flask) -> None:
    """Except health pages and internal routes."""
    contract = Contract.load("tracker")
    views = set(_documented(app).values())
    others = {rule.rule for rule in app.url_map.iter_rules() if app.view_functions[rule.endpoint] not in views}
    assert others == {"/healthz", "/readyz", "/metrics", "/internal/workers/<int:worker_id>"}
    assert not any(contract.covers(path) for path in others)

"""The guard of old readers: contracts may grow, not shrink (contracts/README.md)."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from chassis.contract_baseline import baseline, broken, fingerprint, main
from chassis.contracts import Contract

DOCUMENT: dict[str, Any] = {
    "paths": {
        "/a/{id}": {
            "post": {
                "operationId": "a",
                "x-taskyard-callers": ["anonymous"],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {"properties": {"n": {"type": "integer", "format": "int16", "default": 0}}}
                        }
                    }
                },
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}},
                    "204": {},
                },
            }
        }
    },
    "components": {
        "schemas": {
            "A": {
                "type": "object",
                "required": ["ok", "list"],
                "properties": {
                    "ok": {"const": True},
                    "alias": {"type": ["string", "null"]},
                    "list": {
                        "type": "array",
                        "items": {"allOf": [{"required": ["x"], "properties": {"x": {"type": "number"}}}]},
                    },
                },
                "then": {"properties": {"y": {"type": "string"}}},
            },
            "B": {"required": ["x"], "properties": {"x": {"type": "number"}}},
        }
    },
}

LINES = {
    "POST /a/{id}": "a",
    "POST /a/{id} request $.n": "integer int16?",
    "POST /a/{id} 200": "application/json",
    "POST /a/{id} 200 $": "object",
    "POST /a/{id} 200 $.ok": "const true",
    "POST /a/{id} 200 $.alias": "string|null?",
    "POST /a/{id} 200 $.list": "array",
    "POST /a/{id} 200 $.list[].x": "number",
    "POST /a/{id} 200 $ then.y": "string?",
    "POST /a/{id} 204": "empty",
}


@pytest.mark.parametrize("name", ["auth", "tracker"])
def test_contracts_still_serve_old_readers_and_the_baseline_is_up_to_date(name: str) -> None:
    recorded, current = baseline(name), fingerprint(Contract.load(name))
    assert broken(recorded, current) == []
    assert recorded == current, "run python -m chassis.contract_baseline --accept"


def test_a_fingerprint_names_all_that_a_reader_can_use() -> None:
    assert fingerprint(Contract(DOCUMENT)) == LINES


@pytest.mark.parametrize("line", LINES)
def test_whatever_vanishes_or_changes_is_a_break(line: str) -> None:
    without = {key: kind for key, kind in LINES.items() if key != line}
    assert broken(LINES, without) == [f"{line}: was {LINES[line]}, is gone"]
    assert broken(LINES, {**LINES, line: "other"}) == [f"{line}: was {LINES[line]}, is other"]
    assert broken(without, LINES) == []


def test_an_optional_field_may_become_required_but_not_the_other_way() -> None:
    assert broken({"f": "string?"}, {"f": "string"}) == []
    assert broken({"f": "string"}, {"f": "string?"}) == ["f: was string, is string?"]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TASKYARD_CONTRACTS_DIR", str(tmp_path))
    for name in ("openapi", "baseline"):
        (tmp_path / name).mkdir()
    (tmp_path / "openapi" / "demo.yaml").write_text(yaml.safe_dump(DOCUMENT))
    return tmp_path


def test_the_command_asks_for_additions_to_be_recorded(directory: Path) -> None:
    asked = CliRunner().invoke(main)
    assert asked.exit_code == 1
    assert "--accept" in asked.output
    assert CliRunner().invoke(main, ["--accept"]).exit_code == 0
    assert baseline("demo") == LINES
    assert CliRunner().invoke(main).exit_code == 0


def test_the_command_never_records_a_break(directory: Path) -> None:
    recorded = directory / "baseline" / "demo.json"
    recorded.write_text('{"GET /gone": "gone"}')
    refused = CliRunner().invoke(main, ["--accept"])
    assert refused.exit_code == 1
    assert "demo: GET /gone: was gone, is gone" in refused.output
    assert baseline("demo") == {"GET /gone": "gone"}

"""docs/reference/events.md says what the contracts say."""

from click.testing import CliRunner

from chassis.events.reference import main, page, render
from chassis.events.schemas import schemas


def test_the_page_is_up_to_date() -> None:
    assert page().read_text(encoding="utf-8") == render(), "run python -m chassis.events.reference"
    assert CliRunner().invoke(main, ["--check"]).exit_code == 0


def test_the_page_names_types_fields_and_parties() -> None:
    text = render()
    assert "| [`poller.job.submit`](#pollerjobsubmit) | Submit a poller job | any service | poller |" in text
    assert "| `principal.kind` | `account`, `worker`, `service` | What kind of principal it is |" in text
    assert "| `command_id` | string (uuid), optional |" in text
    assert all(f"\n## {type_}\n" in text for type_ in schemas().types)
    assert text.count("```json") == sum(len(document["examples"]) for document in schemas().documents.values())

"""The page of settings is the settings."""

from embedded import reference


def test_the_page_is_up_to_date() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run python -m embedded.reference"


def test_every_setting_says_what_it_is_without_a_secret() -> None:
    assert "TASKYARD_INTERNAL_KEY` | required |" in reference.page()
    assert "**********" not in reference.page()

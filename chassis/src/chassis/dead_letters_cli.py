"""``python -m <service> dead-letters``: look after the messages that the service could not handle."""

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from chassis.events.dead_letters import DeadLetters

EVERY = 10_000


def dead_letters_command(open_letters: "Callable[[], DeadLetters]") -> click.Group:
    """Return the commands for the dead letters that ``open_letters`` gives."""

    @click.group("dead-letters")
    def group() -> None:
        """List, show, resend and drop what the service could not handle."""

    @group.command("list")
    @click.option("--limit", default=100, show_default=True, help="At most so many, the oldest first.")
    def list_(limit: int) -> None:
        """Say which there are, and why."""
        for letter in open_letters().list(limit):
            _say(f"{letter.id}  {letter.died_at or '-':<25}  {letter.type or 'unknown':<30}  {letter.reason}")

    @group.command()
    @click.argument("letter")
    def show(letter: str) -> None:
        """Print all that is known of one."""
        found = open_letters().inspect(letter)
        if found is None:
            sys.exit(f"there is no dead letter {letter}")
        _say(f"reason: {found.reason}\ndied at: {found.died_at or 'unknown'}\n{_pretty(found.body)}")

    @group.command()
    @click.argument("letters", nargs=-1)
    @click.option("--all", "every", is_flag=True, help="All there are at this moment.")
    def resend(letters: tuple[str, ...], every: bool) -> None:
        """Put dead letters back into the service's queue, for another try."""
        dead = open_letters()
        _for_each(dead, letters, every, dead.resend, "sent again")

    @group.command()
    @click.argument("letters", nargs=-1)
    @click.option("--all", "every", is_flag=True, help="All there are at this moment.")
    def drop(letters: tuple[str, ...], every: bool) -> None:
        """Delete dead letters; what they told of is lost."""
        dead = open_letters()
        _for_each(dead, letters, every, dead.drop, "dropped")

    return group


def _for_each(
    dead: "DeadLetters", letters: tuple[str, ...], every: bool, action: Callable[[str], bool], done: str
) -> None:
    if every == bool(letters):
        raise click.UsageError("name dead letters, or say --all")
    chosen = [letter.id for letter in dead.list(EVERY)] if every else list(letters)
    missing = [letter for letter in chosen if not action(letter)]
    _say(f"{len(chosen) - len(missing)} {done}")
    if missing:
        sys.exit(f"there is no dead letter {', '.join(missing)}")


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2)
    except ValueError:
        return body


def _say(text: str) -> None:
    """Print ``text``; what could move the cursor is shown as its code."""
    click.echo("".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text))

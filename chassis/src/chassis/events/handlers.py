"""Which function handles which type of event."""

from collections.abc import Callable

from chassis.database import Transaction
from chassis.events.envelope import Event
from chassis.events.schemas import schemas

# What a handler returns is run after its transaction has committed; a crash in between skips it.
AfterCommit = Callable[[], object]
Handler = Callable[[Transaction, Event], AfterCommit | None]


class Handlers:
    """The event types that one service receives.

    A handler makes its effect through ``tx`` alone and is short. Events of one subject come in order, but what was
    put aside or was lost with its queue comes again after newer ones: compare the version in the event with the
    stored one.
    Raising :class:`chassis.errors.Unavailable` stops the service's queue until the next try succeeds. Any other
    error is tried again a few times and then put aside as a dead letter.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self.retired: set[str] = set()

    def on(self, type_: str) -> Callable[[Handler], Handler]:
        """Register the decorated function for events of ``type_``."""
        if type_ not in schemas().types:
            raise LookupError(f"no contract for {type_}")
        if type_ in self._handlers:
            raise ValueError(f"{type_} has a handler")

        def register(handler: Handler) -> Handler:
            self._handlers[type_] = handler
            return handler

        return register

    def and_also(self, type_: str, handler: Handler) -> "Handlers":
        """Return these handlers and one more."""
        more = Handlers()
        more._handlers = {**self._handlers, type_: handler}
        more.retired = self.retired
        return more

    def retire(self, type_: str) -> None:
        """Stop to receive a type that an earlier release handled.

        Not guessed from the missing handler: an old process beside new ones would unbind what those handle.
        """
        self.retired.add(type_)

    @property
    def types(self) -> frozenset[str]:
        """Return the types that have a handler."""
        return frozenset(self._handlers)

    def find(self, type_: str) -> Handler | None:
        """Return the handler of a type."""
        return self._handlers.get(type_)

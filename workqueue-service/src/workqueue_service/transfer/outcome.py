"""What came of an attempt, on its way to the workqueue."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from workqueue_service.transfer.errors import TransferError
from workqueue_service.transfer.listing import Directory
from workqueue_service.transfer.work import Element

Listing = dict[str, list[dict[str, Any]]]


@dataclass
class Outcome:
    """The end of one attempt."""

    element: Element
    log: str
    error: TransferError | None = None
    listing: Listing | None = None
    """A small listing; a large one is uploaded before."""
    uploaded: bool = False
    seconds: float = 0.0


Upload = Callable[[Element, Iterable[Directory]], None]
"""Sends a listing, part by part, while it is made."""

Done = Callable[[Outcome], None]

"""The route table: reads `routes.toml`. What its keys mean stands at the head of that file."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from gateway.errors import BrokenRoutes
from gateway.sizes import parse_size

Retry = Literal["connect", "read"]
Style = Literal["tracker", "faultstring", "error", "keystone"]
Throttle = Literal["login"]
Seconds = Annotated[float, Field(gt=0)]
Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]

API_ALIAS = "/api"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Service(_Table):
    """What the rows of one service have in common."""

    style: Style
    api_alias: bool = False
    timeout: Seconds
    body_limit: Size
    retry: Retry


class Row(_Table):
    """One row of the table: which requests, whose they are, and their limits."""

    path: str | None = None
    prefix: str | None = None
    subtree: str | None = None
    regex: str | None = None
    service: str
    method: str | None = None
    timeout: Seconds | None = None
    body_limit: Size | None = None
    retry: Retry | None = None
    throttle: Throttle | None = None
    style: Style | None = None

    @model_validator(mode="after")
    def _one_match(self) -> Self:
        patterns = [pattern for pattern in self._patterns.values() if pattern is not None]
        if len(patterns) != 1 or not patterns[0].startswith("/"):
            raise ValueError("a row has one of path, prefix, subtree, regex, and it starts with /")
        return self

    @property
    def _patterns(self) -> dict[str, str | None]:
        return {"path": self.path, "prefix": self.prefix, "subtree": self.subtree, "regex": self.regex}

    @property
    def match(self) -> tuple[str, str]:
        """The kind of match and its pattern."""
        return next((kind, pattern) for kind, pattern in self._patterns.items() if pattern is not None)


class Route(_Table):
    """A row with its service's defaults filled in. `aliased`: stands under /api and is rewritten."""

    kind: str
    pattern: str
    aliased: bool
    service: str
    style: Style
    method: str | None
    timeout: Seconds
    body_limit: int
    retry: Retry
    throttle: Throttle | None

    @property
    def name(self) -> str:
        """How the access log calls this route."""
        return " ".join(filter(None, (self.method, self.pattern)))


class RouteTable(_Table):
    """`routes.toml` as a whole."""

    service: dict[str, Service]
    route: tuple[Row, ...]

    @model_validator(mode="after")
    def _services_are_known(self) -> Self:
        unknown = {row.service for row in self.route} - set(self.service)
        if unknown:
            raise ValueError(f"rows of unknown services: {', '.join(sorted(unknown))}")
        return self

    @property
    def routes(self) -> Iterator[Route]:
        """Every route in order; a row's alias under /api follows it."""
        for row in self.route:
            yield self._route(row, aliased=False)
            if self.service[row.service].api_alias:
                yield self._route(row, aliased=True)

    def _route(self, row: Row, *, aliased: bool) -> Route:
        service = self.service[row.service]
        kind, pattern = row.match
        return Route(
            kind=kind,
            pattern=API_ALIAS + pattern if aliased else pattern,
            aliased=aliased,
            service=row.service,
            style=row.style or service.style,
            method=row.method,
            timeout=row.timeout or service.timeout,
            body_limit=row.body_limit or service.body_limit,
            retry=row.retry or service.retry,
            throttle=row.throttle,
        )


def load_routes(path: Path) -> RouteTable:
    """Read the route table at `path`; `BrokenRoutes` says what is wrong with it."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return RouteTable.model_validate(document)
    except OSError as error:
        raise BrokenRoutes(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise BrokenRoutes(f"{path}: {error}") from error
    except ValidationError as error:
        raise BrokenRoutes(f"{path}: {_complaints(error)}") from None


def _complaints(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())

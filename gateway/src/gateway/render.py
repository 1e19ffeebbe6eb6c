"""Renders Envoy's configuration from the settings, the route table and the template."""

import json
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from gateway.errors import BrokenConfig
from gateway.replies import replies
from gateway.routes import load_routes
from gateway.settings import GateSettings

TEMPLATE = "envoy.yaml.j2"
ROUTES = "routes.toml"


def _quote(value: Any) -> str:
    """Write a value as JSON, which is YAML that cannot break out of its place."""
    return json.dumps(str(value))


def _literal(text: str) -> str:
    """Write text for a place where Envoy would read `%` as a command."""
    return _quote(text.replace("%", "%%"))


def render(settings: GateSettings) -> str:
    """Return the configuration as YAML; `BrokenRoutes` or `BrokenConfig` if a part is missing or wrong."""
    table = load_routes(settings.gateway_dir / ROUTES)
    environment = Environment(  # noqa: S701 - the output is YAML, every value goes through a quoting filter
        loader=FileSystemLoader(settings.gateway_dir),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"quote": _quote, "literal": _literal}
    try:
        template = environment.get_template(TEMPLATE)
        return template.render(
            settings=settings,
            routes=list(table.routes),
            replies=replies(settings.gate_throttle_rate, settings.gate_throttle_burst),
        )
    except TemplateError as error:
        raise BrokenConfig(f"{settings.gateway_dir / TEMPLATE}: {error}") from error

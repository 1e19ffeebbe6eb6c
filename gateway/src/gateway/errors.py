"""What keeps the gate from starting."""


class GateError(Exception):
    """The gate cannot start."""


class BrokenSettings(GateError):
    """A setting is missing or wrong."""


class BrokenRoutes(GateError):
    """The route table cannot be read."""


class BrokenConfig(GateError):
    """Envoy refuses the rendered configuration."""

"""Refusals in the words of the reference (spec: scheduler 2, 5)."""

from chassis.errors import ApiError


def refuse(message: str) -> ApiError:
    """Return the error for a request that its sender can mend."""
    return ApiError(400, message)


def forbid(message: str) -> ApiError:
    """Return the error for something that the caller may not do, or not now."""
    return ApiError(403, message)


def not_found(kind: str, **key: object) -> ApiError:
    """Return the error for something that does not exist or is not visible to the caller."""
    return ApiError(404, f"{kind} not found [{', '.join(f'{name}={value}' for name, value in key.items())}]")

"""Sizes as people write them."""

import re

_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2}


def parse_size(text: str) -> int:
    """Return the bytes meant by e.g. `"64KiB"` or `"4MiB"`; `ValueError` for anything else."""
    match = re.fullmatch(r"(\d+) ?(B|KiB|MiB)", text)
    if not match:
        raise ValueError(f"not a size such as 64KiB or 4MiB: {text!r}")
    return int(match[1]) * _UNITS[match[2]]

"""Where the service's own files lie."""

from pathlib import Path

MIGRATIONS = Path(__file__).with_name("migrations")

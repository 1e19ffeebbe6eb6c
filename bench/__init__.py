"""Measures a running Taskyard through its gate; speaks only the documented API."""

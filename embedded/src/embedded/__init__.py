"""Taskyard on one machine, without Docker."""

"""The runner: carries out functions that are code, in sandboxes (spec: scheduler 5.7)."""

"""Cron jobs that fire exactly once, and the functions that they run (spec: scheduler)."""

"""The legacy job list, which a secure side polls over plain HTTP (spec: poller)."""

"""The Envoy gate: one address in front of every service."""

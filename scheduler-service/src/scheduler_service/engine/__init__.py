"""The engine: fires what is due, once, whatever clocks and processes do (spec: scheduler 4.4)."""

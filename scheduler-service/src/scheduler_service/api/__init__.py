"""HTTP to calls, one blueprint per resource."""

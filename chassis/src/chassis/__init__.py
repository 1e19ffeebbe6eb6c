"""What every Taskyard service is built on."""

"""How executions are carried out: by commands to other services, and by runners in this process."""

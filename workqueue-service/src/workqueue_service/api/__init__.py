"""The routes of workqueue-service, one module per resource."""

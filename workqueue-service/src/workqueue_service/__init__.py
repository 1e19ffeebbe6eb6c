"""workqueue-service: file jobs between sites."""

"""The transfer worker: takes file work from the workqueue over HTTP and does it with rclone, on any host."""

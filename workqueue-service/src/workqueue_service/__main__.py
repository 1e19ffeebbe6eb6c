"""``python -m workqueue_service api|worker|transfer|migrate``."""

from chassis.cli import service_command

main = service_command("workqueue_service.service:service")

# The process kind ``transfer`` (workqueue_service.transfer) adds its command to this group.

if __name__ == "__main__":
    main()

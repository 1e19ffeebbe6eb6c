"""``python -m scheduler_service api|worker|migrate``."""

from chassis.cli import service_command

main = service_command("scheduler_service.service:service")

if __name__ == "__main__":
    main()

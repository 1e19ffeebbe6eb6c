"""``python -m poller_service api|worker|migrate``."""

from chassis.cli import service_command

main = service_command("poller_service.service:service")

if __name__ == "__main__":
    main()

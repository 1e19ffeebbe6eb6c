"""``python -m workqueue_service api|worker|transfer|migrate``."""

from chassis.cli import service_command

main = service_command("workqueue_service.service:service")


@main.command()
def transfer() -> None:
    """Move files: work for the workqueue over HTTP, on any host."""
    from workqueue_service.transfer.process import main as run

    run()


if __name__ == "__main__":
    main()

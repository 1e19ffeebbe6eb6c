"""``python -m scheduler_service api|worker|runner|migrate``."""

from chassis.cli import service_command

main = service_command("scheduler_service.service:service")


@main.command()
def runner() -> None:
    """Run functions that are code, on any host."""
    from scheduler_service.runner.program import main as run

    run()


if __name__ == "__main__":
    main()

"""The launcher's command line with services that do nothing."""

from functools import partial
from pathlib import Path

from embedded import __main__ as launcher
from embedded import house, postgres, services

if __name__ == "__main__":
    launcher.House = partial(  # type: ignore[misc, assignment]
        house.House,
        services=(services.ServiceRow("one", "fake_service", keeps_secrets=True),),
        common={"gevent": (), "threads": ()},
        gate_module="fake_gate",
        environment={"PYTHONPATH": str(Path(__file__).parent)},
        database_settings=postgres.THROWAWAY,
    )
    launcher.main()

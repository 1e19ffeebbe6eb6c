"""The table that the tests of faults print."""

from load import Balance

LINE = "| {:<10} | {:<18} | {:>9} | {:>4} | {:>5} | {:>17} |"
HEAD = LINE.format("fault", "container", "submitted", "lost", "twice", "seconds to recover")


class Table:
    """Rows as text."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def add(self, fault: str, container: str, balance: Balance, seconds: float) -> None:
        """Add what a fault did."""
        self.rows.append(
            LINE.format(fault, container, balance.submitted, balance.lost, balance.twice, f"{seconds:.1f}")
        )

"""Following a run from another process: its journal's events as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gtm_orchestra.state.journal import Journal, Record, RunRow

__all__ = ["watched"]

# A run that has just been started is driven by nobody for a moment.
_QUIET_LOOKS = 2


def watched(
    journal: Journal, run_id: str, *, state_of: Callable[[RunRow], str], pause: Callable[[], None]
) -> Iterator[Record]:
    """Yield a run's events, those of the past first, until it ends, waits for a person or is driven no more.

    Args:
        journal: Of the run's workspace.
        run_id: The run.
        state_of: Where a run stands: "running" while a process drives it, "interrupted" if none does.
        pause: Called between two looks at the journal.

    Raises:
        UsageError: No such run.
    """
    seen, quiet = 0, 0
    while True:
        # The state is read first: whatever led to it is in the events that are read after it.
        row = journal.run(run_id)
        state = state_of(row)
        if row.seq > seen:
            for record in journal.records(run_id)[seen:]:
                seen = record.seq
                yield record
        quiet = quiet + 1 if state == "interrupted" else 0
        if state not in {"running", "interrupted"} or quiet >= _QUIET_LOOKS:
            return
        pause()

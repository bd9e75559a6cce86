"""A turn: what was granted or polled is stored, and what is stored is entered.

In this order and nowhere else, for the loop and for a study: the books of a run never hold what its
store does not, so that a process killed between the two goes on from the store alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hpo_research.ledger import AskRow, Ledger
from hpo_research.records import Outcome, Report, with_fields
from hpo_research.store import Store
from hpo_research.store.checkpoints import Name


@dataclass(frozen=True)
class Turn:
    """The runs whose turn it is, by id, and the store behind them."""

    store: Store
    ledgers: Mapping[int, Ledger]

    def ask(
        self,
        rows: Sequence[AskRow],
        over: Collection[int] = (),
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """Store what `Ledger.grant` made of the asks, which runs are over with it, and enter it.

        `texts` change in the same transaction. Empty asks have no row.
        """
        self.store.append_asks(rows, over, texts)
        for row in rows:
            if not row.is_empty:
                self.ledgers[row.run].append_ask(row)

    def add(self, ask: AskRow, reports: Sequence[Report], outcomes: Sequence[Outcome]) -> None:
        """Store and enter a trial that was trained elsewhere, whole: what is told follows an ask.

        In one transaction, since nobody would tell what was lost in between.
        """
        ledger = self.ledgers[ask.run]
        told = [(report, ledger.spent) for report in reports]  # it costs nothing
        self.store.append_asks([ask], told=(told, outcomes))
        ledger.append_ask(ask)
        for report in reports:
            ledger.append_report(report)
        for outcome in outcomes:
            ledger.append_outcome(outcome)

    def poll(
        self,
        reports: Sequence[Report],
        outcomes: Sequence[Outcome],
        checkpoints: Mapping[Name, bytes] | None = None,
    ) -> set[int]:
        """Store what a poll brought, if anything, and enter it; return the runs that got rows."""
        if not reports and not outcomes:
            return set()
        # Without the states, which the loop has kept already: a store in memory writes late.
        attempts = [self.ledgers[report.run].open[report.trial].attempt for report in reports]
        reports = [
            with_fields(report, {"attempt": attempt, "state": None})
            for report, attempt in zip(reports, attempts, strict=True)
        ]
        self.store.append_poll(self._charged(reports), outcomes, checkpoints)
        for report in reports:
            self.ledgers[report.run].append_report(report)
        for outcome in outcomes:
            self.ledgers[outcome.run].append_outcome(outcome)
        return {report.run for report in reports} | {outcome.run for outcome in outcomes}

    def _charged(self, reports: Sequence[Report]) -> list[tuple[Report, int]]:
        """Return the reports, each with the epochs that its run has spent with it."""
        by_run: dict[int, list[Report]] = {}
        for report in reports:
            by_run.setdefault(report.run, []).append(report)
        spent = {run: iter(self.ledgers[run].spent_with(own)) for run, own in by_run.items()}
        return [(report, next(spent[report.run])) for report in reports]


def is_over(ledger: Ledger, row: AskRow) -> bool:
    """Whether a run that was offered slots has come to its end: nothing granted, nothing running.

    To be asked before the row is entered.
    """
    return not row.grants and not ledger.open

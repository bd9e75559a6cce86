"""What a strategy that compares trials by single values sees of trials that stand at any epoch."""

from dataclasses import replace

from hpo_research.records import Run, Trial
from hpo_research.rows import Rows, kept
from hpo_research.strategies.halving.rungs import value_by
from hpo_research.strategies.ordered import Ordered

Known = tuple[Trial, ...]
Earlier = tuple[Known, tuple[Known, ...]]


def inner_view(run: Run) -> Run:
    """Return the run as the inner strategy sees it: values at one epoch, the rest running.

    The epoch is the largest that at least d+2 healthy trials have reached, d counting parameters.
    Trials of earlier runs are seen there too.
    """
    enough = run.space.dimension + 2
    with kept(run.trials, (TrialsAtEpoch, enough), lambda: TrialsAtEpoch(enough)) as seen:
        trials = seen.trials()
        prior, related = seen.earlier(run.prior, run.related)
        return replace(run, trials=trials, prior=prior, related=related)


def furthest(run: Run) -> Run:
    """Return the run as the inner strategy sees it, if it sees the furthest epoch reached.

    Without trials where it sees values at an earlier epoch only.
    """
    seen = inner_view(run)
    reached, visible = (
        max((trial.reached for trial in one.trials if trial.value is not None), default=0)
        for one in (run, seen)
    )
    return seen if visible == reached else replace(seen, trials=())


class TrialsAtEpoch:
    """Trials as of one epoch: an index of trials, which keeps rows of its own."""

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._all: list[Trial] = []
        self._reached: Ordered[int] = Ordered()  # of healthy trials, most first: negative
        self._epoch = 0
        self._earlier: tuple[int, Earlier, Earlier] | None = None
        self._rows: Rows[Trial] = Rows()
        self._touched: set[int] = set()

    def enter(self, number: int, old: Trial | None, new: Trial) -> bool:
        """Take in that a trial is new or changed."""
        if old is None:
            self._all.append(new)
        else:
            self._all[number] = new
            self._touched.add(number)
            if old.status != "failed":
                self._reached.remove(-old.reached)
        if new.status != "failed":
            self._reached.add(-new.reached)
        return True

    def earlier(self, prior: Known, related: tuple[Known, ...]) -> Earlier:
        """Return trials of earlier runs as of the epoch; the same objects while they look the same.

        So that what is kept of them (`strategies.tried`) serves the next ask too.
        """
        last, epoch = self._earlier, self._epoch
        if last is not None and last[0] == epoch and last[1][0] is prior and last[1][1] is related:
            return last[2]
        at_epoch = tuple(_seen(trial, epoch) for trial in prior)
        others = tuple(tuple(_seen(trial, epoch) for trial in own) for own in related)
        self._earlier = epoch, (prior, related), (at_epoch, others)
        return self._earlier[-1]

    def trials(self) -> Rows[Trial]:
        """Return all trials as of the epoch; those that look the same are the same objects."""
        is_known = len(self._reached) >= self._enough
        epoch = -self._reached[self._enough - 1] if is_known else 0
        rows, known = self._rows, len(self._rows)
        touched = range(known) if epoch != self._epoch else (i for i in self._touched if i < known)
        changed = {i: _seen(self._all[i], epoch) for i in touched}
        added = [_seen(trial, epoch) for trial in self._all[known:]]
        other = {i: t for i, t in changed.items() if not _is_same(t, rows[i])}
        self._rows = rows.changed(other, added)
        self._epoch = epoch
        self._touched.clear()
        return self._rows


def _seen(trial: Trial, epoch: int) -> Trial:
    if trial.status == "failed":
        return trial
    known = value_by(trial, epoch)
    if epoch == 0 or trial.reached < epoch or known is None:  # None: its first report came later
        return replace(trial, status="running", epochs=(), values=(), value=None, arrivals=())
    count = sum(e <= epoch for e in trial.epochs)
    return replace(
        trial,
        status="finished",
        epochs=trial.epochs[:count],
        values=trial.values[:count],
        arrivals=trial.arrivals[:count],
        value=known,
    )


def _is_same(one: Trial, other: Trial) -> bool:
    return one == other and one.arrivals == other.arrivals

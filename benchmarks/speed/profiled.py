"""Where the time of one ask goes: by stage, and by the module of ours that was at work.

A timer interrupts the ask 250 times a second of its processor time and looks at the stack.
What passed since the last look is entered under the first stage whose words stand in the stack;
a long call into torch counts for all it took, under the line that made it.
"""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import hpo_research as hpo
from benchmarks.beside import shown
from benchmarks.record import Json, sat
from benchmarks.speed.cases import Case, check, runs
from benchmarks.speed.measured import markdown
from benchmarks.speed.page import COMMAND

CASES = (Case(1), Case(32))
_PERIOD = 0.004  # Linux's own clock of processor time ticks no faster
_SECONDS = 8.0  # of asks, each case
_PACKAGE = "hpo_research."

# Read from the top: the first whose every word stands in the stack, as `module.function`.
STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fit", ("gp.fit.",)),
    ("output transform", ("gp.transforms.",)),
    ("conditioning on the data", ("gp.posterior.condition",)),
    ("conditioning on points under way", (".pending",)),
    ("flips of choices", ("acquisition.maximise._flipped",)),
    ("climbing from the starts", ("acquisition.maximise._climbed",)),
    ("drawing candidates", ("acquisition.maximise.candidates",)),
    ("screening: values, choosing starts", ("acquisition.",)),
    ("picks: configurations, duplicates", ("strategies.models.greedy_batch.",)),
    ("runs to tensors, notes, all else", ("",)),
)


@dataclass
class Samples:
    """Seconds by stage and by module, and of all asks together."""

    stages: Counter = field(default_factory=Counter)
    modules: Counter = field(default_factory=Counter)
    last: float = 0.0

    def look(self, number: int, frame: FrameType | None) -> None:
        """Enter the time since the last look under what is at work now."""
        now = time.thread_time()
        stack = list(_ours(frame))
        joined = "\n".join(stack)
        stage = next(name for name, words in STAGES if all(word in joined for word in words))
        self.stages[stage] += now - self.last
        self.modules[stack[0].rpartition(".")[0] if stack else "elsewhere"] += now - self.last
        self.last = now


def _ours(frame: FrameType | None) -> Iterator[str]:
    """Yield `module.function.` of the frames of our package, the innermost first."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_PACKAGE):
            yield f"{module.removeprefix(_PACKAGE)}.{frame.f_code.co_name}"
        frame = frame.f_back


@contextmanager
def sampled() -> Iterator[Samples]:
    """Look at the stack while the block runs."""
    samples = Samples(last=time.thread_time())
    before = signal.signal(signal.SIGPROF, samples.look)
    signal.setitimer(signal.ITIMER_PROF, _PERIOD, _PERIOD)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def measured(*, is_quick: bool) -> list[Json]:
    """Profile asks of each case, warm."""
    cases = (Case(1, n=14, q=1), Case(2, n=14, q=1)) if is_quick else CASES
    return [_profile(case, 0.2 if is_quick else _SECONDS) for case in cases]


def _profile(case: Case, seconds: float) -> Json:
    asked, strategy = runs(case), hpo.Bayesian()
    check(strategy.ask(asked, [case.q] * case.runs), case)
    began, count = time.perf_counter(), 0
    with sampled() as samples:
        while time.perf_counter() - began < seconds:
            strategy.ask(asked, [case.q] * case.runs)
            count += 1
    return {
        "case": str(case),
        "asks": count,
        "seconds": (time.perf_counter() - began) / count,
        "stages": {name: samples.stages[name] / count for name, _ in STAGES},
        "modules": {name: value / count for name, value in samples.modules.most_common(12)},
    }


def text(record: Json) -> str:
    """Return the profile as Markdown."""
    entry = record["profile"]["all"]
    cases = entry["measured"]
    names = tuple(f"{c['case']}: {shown(sum(c['stages'].values()))} an ask" for c in cases)
    stages = [[name, *(_share(case["stages"], name) for case in cases)] for name, _ in STAGES]
    modules = sorted({m for case in cases for m in case["modules"]})
    modules.sort(key=lambda m: -sum(c["modules"].get(m, 0.0) / c["seconds"] for c in cases))
    at_work = [
        [f"`{name}`", *(_share(case["modules"], name) for case in cases)] for name in modules[:12]
    ]
    return "\n\n".join(
        [
            f"`{COMMAND} profile` (processor time, by looks at the stack)",
            markdown(("stage", *names), stages),
            markdown(("our module at work", *names), at_work),
            sat([("profile", entry["made_with"])]),
        ]
    )


def _share(seconds: dict[str, float], name: str) -> str:
    whole, own = sum(seconds.values()), seconds.get(name, 0.0)
    return f"{shown(own)} ({100 * own / whole:.0f} %)" if own and whole else "—"

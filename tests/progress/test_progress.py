"""How far an experiment is: what is said, where, and how much time is left."""

import re
import sys
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

import hpo_research as hpo
from hpo_research.errors import ExperimentError
from hpo_research.progress import display, remaining, showing
from hpo_research.progress.standing import Progress, RunProgress
from hpo_research.store import RunName


def run(problem: str, strategy: str = "q-EI", seed: int = 0, **fields) -> RunProgress:
    half = RunProgress(RunName(problem, strategy, seed), 4, 0, 0, 4, 1.0, 0.5, is_over=False)
    return replace(half, **fields)


@pytest.fixture
def clock(monkeypatch) -> remaining.Clock:
    """A clock on which ten seconds have passed when anybody looks."""
    monkeypatch.setattr(remaining.Clock, "elapsed", 10.0)
    return remaining.Clock(_first=0.0)


def told(said: list[Progress], monkeypatch) -> float | None:
    """What a clock says after the last of several looks, a second of work a second."""
    clock = remaining.Clock()
    clock.left(Progress([]))
    for progress in said:
        spent = sum(run.seconds for run in progress.runs)
        monkeypatch.setattr(remaining.Clock, "elapsed", spent)
        left = clock.left(progress)
    return left


def grown(rate, parts: int, **fields) -> list[Progress]:
    """A run of ten parts whose seconds a function of the part gives, after each of the first."""
    seconds = [sum(rate(part) for part in range(done + 1)) for done in range(parts)]
    return [
        Progress([run("a", seconds=spent, share=(i + 1) / 10, **fields)])
        for i, spent in enumerate(seconds)
    ]


# --- what is left ---


def test_problems_that_cost_more_have_more_left(clock):
    """Two problems are half done, or not begun, and one costs nine times the other's."""
    cheap = [run("cheap", seed=s, seconds=1.0, share=1.0, is_over=True) for s in range(4)]
    dear = [run("dear", seed=0, seconds=9.0, share=1.0, is_over=True)]
    waiting = [run("dear", seed=s, seconds=0.0, share=0.0) for s in range(1, 4)]
    found = clock.left(Progress([*cheap, *dear, *waiting]))
    # 13 of work in 10 s; 27 are left. By shares of runs it would be 3 of 8: 6 s.
    assert found == pytest.approx(27 * 10 / 13)


def test_what_is_left_is_that_of_the_run_itself_where_it_has_begun(clock):
    runs = [run("a", seed=0, seconds=8.0, share=0.8), run("a", seed=1, seconds=1.0, share=0.5)]
    assert clock.left(Progress(runs)) == pytest.approx(2.0 + 1.0)


def test_the_time_in_which_nothing_could_be_done_yet_is_not_work(monkeypatch):
    """Workers start for 12 seconds, then each second does a second of work: 8 are left, not 80."""
    clock = remaining.Clock()
    for elapsed, spent in ((0.0, 0.0), (13.0, 1.0), (14.0, 2.0)):
        monkeypatch.setattr(remaining.Clock, "elapsed", elapsed)
        left = clock.left(Progress([run("a", seconds=spent, share=spent / 10)]))
    assert left == pytest.approx(8.0)


def test_what_was_done_before_is_not_counted_as_done_in_this_time(monkeypatch):
    monkeypatch.setattr(remaining.Clock, "elapsed", 10.0)
    clock = remaining.Clock()
    begun = run("a", seconds=90.0, share=0.9)
    assert clock.left(Progress([begun])) is None
    monkeypatch.setattr(remaining.Clock, "elapsed", 15.0)  # of which ten were idle
    assert clock.left(Progress([replace(begun, seconds=95.0, share=0.95)])) == pytest.approx(5.0)


def test_nothing_is_left_when_all_is_over(clock):
    assert clock.left(Progress([run("a", seconds=5.0, share=1.0, is_over=True)])) == 0.0


def test_what_costs_more_and_more_has_more_left(monkeypatch):
    """Parts cost 1, 2, ..., 10; four are done. By their mean 15 would be left of 45."""
    left = told(grown(lambda part: part + 1.0, 4), monkeypatch)
    assert 25 < left < 45


def test_what_was_once_only_is_not_foreseen_again(monkeypatch):
    """The second of five parts took 40 seconds more, to compile. By the mean 45 are left."""
    left = told(grown(lambda part: 41.0 if part == 1 else 1.0, 5), monkeypatch)
    assert left == pytest.approx(5.0, rel=0.2)


def test_uneven_parts_are_no_trend(monkeypatch):
    costs = [1.0, 3.0, 0.5, 2.0, 1.5]
    left = told(grown(costs.__getitem__, 5), monkeypatch)
    assert left == pytest.approx(8.0, rel=0.3)


def test_nothing_is_told_while_a_problem_is_unknown(monkeypatch):
    """Whatever a cheap problem has cost says nothing of one that has not come to anything yet."""
    cheap, dear = run("cheap", seconds=1.0), run("dear", share=0.0)
    unknown = Progress([cheap, dear])
    assert told([unknown], monkeypatch) is None
    begun = Progress([cheap, replace(dear, share=0.1, seconds=9.0)])
    assert told([unknown, begun], monkeypatch) == pytest.approx(82.0)


def test_without_a_cost_nothing_is_told(clock):
    assert clock.left(Progress([run("a", seconds=0.0, share=0.0)])) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.2, "8 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_seconds_are_written_for_people(seconds, text):
    assert remaining.duration(seconds) == text


# --- lines ---


def test_a_line_says_whose_the_best_is_and_what_failed(clock):
    runs = [
        run("branin", "q-EI", best=0.5, seconds=5.0),
        run("branin", "random", best=0.4, failed=2, seconds=5.0),
        run("svm", "q-EI", best=0.9, seconds=5.0),
        run("svm", "random", best=0.8, seconds=5.0),
    ]
    directions = {"branin": "minimize", "svm": "maximize"}
    progress = Progress(runs, directions, {"branin": "regret", "svm": "accuracy"})
    assert display.line(progress, clock) == (
        "10 s: 50%, 16 trials, 2 failed, about 10 s left; branin best regret 0.4 (random); "
        "svm best accuracy 0.9 (q-EI)"
    )


@pytest.mark.parametrize("count", [1, 5, 30])
def test_a_line_is_short_whatever_there_is(clock, count):
    names = [f"a problem of quite some length {i}" for i in range(count)]
    runs = [run(name, strategy) for name in names for strategy in map(str, range(9))]
    text = display.line(Progress(runs, dict.fromkeys(names, "minimize")), clock)
    assert len(text) < 120
    assert count == 1 or re.search(r"; \d+ more problems?$", text)


def test_a_name_cannot_write_to_the_terminal(clock):
    names, own = ("[red]r", "random"), "\x1b[2Jbranin\n"
    progress = Progress([run(own, name) for name in names], {own: "minimize"})
    console = Console(file=StringIO(), width=200)
    watch = display.lines(console)
    watch(replace(progress, runs=[replace(one, is_over=True) for one in progress.runs]))
    assert "\x1b" not in console.file.getvalue()
    assert console.file.getvalue().count("\n") == 1 and "[red]r" in console.file.getvalue()


def test_the_last_line_has_the_last_value():
    """The budget is spent at the ask of the last trial, and its value comes later."""
    console = Console(file=StringIO(), width=200)
    watch = display.lines(console)
    for best, is_over in ((0.2, False), (0.2, False), (0.04, True), (0.04, True)):
        watch(Progress([run("f", best=best, share=1.0, is_over=is_over)], {"f": "minimize"}))
    assert console.file.getvalue().count("\n") == 1 and "best 0.04" in console.file.getvalue()


def test_a_single_problem_has_one_bar():
    console = Console(file=StringIO(), force_terminal=True, width=100)
    with display.bars(console) as watch:
        watch(Progress([run("branin", failed=1, share=1.0)], {"branin": "minimize"}))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    assert "100% best 1; 4 trials, 1 failed" in text and "all runs" not in text


def test_bars_show_each_problem_and_all_runs():
    console = Console(file=StringIO(), force_terminal=True, width=100)
    directions = {"branin": "minimize", "ackley": "minimize"}
    with display.bars(console) as watch:
        watch(Progress([run("branin"), run("ackley", best=None, share=0.0)], directions))
        watch(Progress([run("branin", share=1.0), run("ackley", share=1.0)], directions))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    for name in ("branin", "ackley"):
        assert re.search(rf"{name} +━+ +100% best 1 *$", text, re.MULTILINE)
    assert re.search(r"all runs +━+ +100% 8 trials", text)


# --- where ---


SPACE = hpo.SearchSpace(x=hpo.Float(0, 1))


def tuned(**options) -> hpo.Trial:
    return hpo.tune(lambda config: config["x"], SPACE, strategy=hpo.Random(), trials=3, **options)


def test_nothing_is_shown_where_nobody_looks(capfd):
    tuned()
    assert capfd.readouterr() == ("", "")


def test_lines_are_shown_where_they_are_asked_for(capfd):
    best = tuned(progress=True)
    out, err = capfd.readouterr()
    assert out == "" and f"100%, 3 trials; function best loss {best.value:.4g}\n" in err


def test_a_terminal_has_bars(monkeypatch):
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: True))
    drawn = Console(file=StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(display, "_screen", lambda: drawn)
    with showing.shown("auto") as watch:
        watch(Progress([run("branin")], {"branin": "minimize"}))
    assert "branin" in drawn.file.getvalue()


def test_a_notebook_has_one_text_that_changes(monkeypatch):
    shown = []

    class Handle:
        def display(self, data, raw):
            shown.append(("display", data["text/plain"]))

        def update(self, data, raw):
            shown.append(("update", data["text/plain"]))

    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(DisplayHandle=Handle))
    tuned()
    kinds = [kind for kind, _ in shown]
    assert kinds[0] == "display" and set(kinds[1:]) <= {"update"}
    assert "100%, 3 trials; function best loss" in shown[-1][1]


def test_a_function_is_called_with_the_progress():
    seen = []
    tuned(progress=seen.append)
    last = seen[-1]
    assert (last.share, last.trials, last.failed) == (1.0, 3, 0)
    assert [row.problem for row in last.problems()] == ["function"]


@pytest.mark.parametrize("wrong", ["Auto", 3, None, ["auto"]])
def test_anything_else_is_refused(wrong):
    with pytest.raises(ExperimentError, match="progress must be 'auto', True, False or a function"):
        tuned(progress=wrong)


def test_the_former_name_still_works(tmp_path):
    seen = []
    experiment = hpo.Experiment(
        "e", [hpo.problem("branin")], {"r": hpo.Random()}, [0], hpo.Budget(evaluations=2)
    )
    with pytest.warns(DeprecationWarning, match=r"run\(watch=...\) is run\(progress=...\)"):
        hpo.run(experiment, out=tmp_path, watch=seen.append)
    assert seen[-1].share == 1.0

"""Code that changed between sessions: every door says so, and names the trials of the earlier."""

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import hpo_research as hpo
from hpo_research.analysis.changes import lines, newer
from hpo_research.cli import app, run
from hpo_research.experiment.session import open_experiment
from hpo_research.report.report import Published, publish
from hpo_research.store import RunName, Store

SPACE = hpo.SearchSpace(x=hpo.Float(0, 1))
TEXT = """
from dataclasses import dataclass
import hpo_research as hpo
from hpo_research.records import Ask, start

STREAM = "one"

@dataclass(frozen=True)
class Mine:
    def ask(self, runs, slots):
        return [self.one(run, free) for run, free in zip(runs, slots)]

    def one(self, run, free):
        draws = [run.stream.at(STREAM, len(run.trials) + i).generator() for i in range(free)]
        points = [draw.random((1, run.space.dimension)) for draw in draws]
        configs = [run.space.from_uniform(u)[0] for u in points]
        return Ask(tuple(start(config, run.max_epochs, "own") for config in configs))

experiment = hpo.Experiment(
    name="changing",
    problems=[hpo.problem("branin")],
    strategies={"mine": Mine()},
    seeds=[3],
    budget=hpo.Budget(trials=4),
    parallel=2,
)
"""
OTHER = TEXT.replace('STREAM = "one"', 'STREAM = "other"')


def experiment(text: str, trials: int = 4, **fields: object) -> hpo.Experiment:
    place: dict[str, object] = {"__name__": "__main__"}
    exec(text, place)
    return replace(place["experiment"], budget=hpo.Budget(trials=trials), **fields)


def told(call: Callable[[], object]) -> list[str]:
    """What is said of changed code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        call()
    return [str(w.message) for w in caught if w.category is hpo.CodeChangedWarning]


def test_run_says_it_at_each_change_and_not_otherwise(tmp_path: Path):
    said = [
        told(lambda t=text, n=n: hpo.run(experiment(t, n), out=tmp_path))
        for n, text in enumerate([TEXT, TEXT, OTHER, OTHER, TEXT, OTHER], start=4)
    ]
    assert [len(messages) for messages in said] == [0, 0, 1, 0, 1, 1]
    assert said[2][0].splitlines()[0] == (
        "the code of strategy mine changed (__main__.STREAM): trials 0 to 4 on branin, seed 3, "
        "were started with the earlier code"
    )
    assert f"{tmp_path} continues with the current code" in said[2][0]
    changes = hpo.Result.read(tmp_path).changes()
    # More budget asks the last ask again, which is then of the code of now.
    assert [re.findall(r"trials 0 to (\d)", line) for line in changes] == [["3"], ["5"], ["7"]]
    text = publish(hpo.Result.read(tmp_path), tmp_path).page.read_text(encoding="utf-8")
    assert all(line in text for line in changes)
    rows = re.sub(r"<wbr>|</?code>", "", text)
    assert re.search(
        r"__main__.STREAM \(strategy mine\)</th><td>value:\w+; value:\w+ \(after", rows
    )


def test_a_warning_points_at_the_line_of_the_user(tmp_path: Path):
    hpo.run(experiment(TEXT), out=tmp_path)
    with pytest.warns(hpo.CodeChangedWarning) as caught:
        hpo.run(experiment(OTHER), out=tmp_path)
    assert [warning.filename for warning in caught] == [__file__]


def test_made_an_error_it_keeps_the_store_as_it_was(tmp_path: Path):
    hpo.run(experiment(TEXT), out=tmp_path)
    before = hpo.Result.read(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", hpo.CodeChangedWarning)
        with pytest.raises(hpo.CodeChangedWarning):
            hpo.run(experiment(OTHER, 8), out=tmp_path)
    assert hpo.Result.read(tmp_path) == before
    assert told(lambda: hpo.run(experiment(TEXT, 8), out=tmp_path)) == []


def test_code_that_changed_before_any_trial_is_no_news(tmp_path: Path):
    with Store.write(tmp_path) as store:
        open_experiment(experiment(TEXT), store, "cpu")
    assert told(lambda: hpo.run(experiment(OTHER), out=tmp_path)) == []
    assert hpo.Result.read(tmp_path).changes() == []


def test_added_strategies_problems_and_seeds_are_no_change(tmp_path: Path):
    first = experiment(TEXT)
    more = replace(
        first,
        problems=[*first.problems, hpo.problem("hartmann3")],
        strategies={**first.strategies, "other": experiment(OTHER).strategies["mine"]},
        seeds=[3, 4],
    )
    assert told(lambda: [hpo.run(one, out=tmp_path) for one in (first, more)]) == []
    parts = [replace(first, seeds=[5]), more]
    assert told(lambda: [hpo.run(one, out=tmp_path) for one in parts]) == []


def test_a_study_says_it(tmp_path: Path):
    def opened(text: str) -> None:
        strategy = experiment(text).strategies["mine"]
        with hpo.Study(SPACE, strategy, path=tmp_path) as study:
            study.tell(study.ask()[0].id, 0.5)

    assert told(lambda: [opened(TEXT), opened(TEXT)]) == []
    (message,) = told(lambda: opened(OTHER))
    assert message.startswith(
        "the code of the study changed (__main__.STREAM): trials 0 to 1 were started with the"
    )


def test_tune_says_it_of_its_function(tmp_path: Path):
    def tuned(shift: float) -> float:
        return hpo.tune(
            lambda config: config["x"] + shift,
            SPACE,
            strategy=hpo.Random(),
            trials=1,
            path=tmp_path,
        ).value

    first, values = tuned(100), []
    (message,) = told(lambda: values.append(tuned(1000)))
    assert "the code of problem function changed (shift of " in message
    assert "trial 0 on function, seed 0, was started with the earlier code" in message
    assert values == [first]


def test_the_command_line_says_it_once_at_once_and_afterwards(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run.report, "publish", lambda result, folder: Published(folder / "r.html"))
    for text in (TEXT, OTHER.replace("trials=4", "trials=6")):
        Path("changing.py").write_text(text)
        done = CliRunner().invoke(app, ["run", "changing.py", "--quiet"])
        assert done.exit_code == 0, done.output
    line = (
        "warning: the code of strategy mine changed (experiment_changing.STREAM): trials 0 to 3 on "
        "branin, seed 3, were started with the earlier code\n"
    )
    assert done.stderr.startswith(line) and done.stderr.count("changed (") == 1
    for command in ("status", "run"):
        place = "changing.py" if command == "run" else "results/changing"
        assert line in CliRunner().invoke(app, [command, place]).stderr


# --- sentences ---

RUNS = [RunName("p", "s", seed) for seed in range(3)]


@pytest.mark.parametrize(
    ("begun", "line"),
    [
        ([[1]], "trial 0 on p, seed 0, was started"),
        ([[1, 2, 9]], "trials 0 to 1 on p, seed 0, were started"),
        ([[1, 2], [1, 9], []], "the first 1 to 2 trials of 2 runs were started"),
        ([[1, 2], [1, 2, 9]], "trials 0 to 1 of each of 2 runs were started"),
        ([[9], [8]], ""),
    ],
)
def test_the_trials_begun_before_are_counted_by_run(begun: list[list[int]], line: str):
    history: list[dict] = []
    for turn, digest in ((0, "ast:a"), (5, "ast:b")):
        history.append(newer(history, {"problem": {"p": {"f": digest}}, "strategy": {}}, turn))
    found = lines(history, dict(zip(RUNS, begun, strict=False)))
    assert [f"changed (f): {line} with the earlier code" in text for text in found] == (
        [True] if line else []
    )


def test_problems_and_strategies_that_share_what_changed_are_one_sentence():
    history: list[dict] = []
    for turn, digest in ((0, "ast:a"), (5, "ast:b")):
        own = {name: {"f": digest} for name in ("a", "b")}
        history.append(newer(history, {"problem": {}, "strategy": own}, turn))
    begun = {RunName("p", name, 0): [1] for name in ("a", "b")}
    (line,) = lines(history, begun)
    assert line.startswith("the code of strategy a, b changed (f): trial 0 of each of 2 runs was")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"f": "ast:a", "g": "ast:a"}, {"f": "ast:a"}, r"changed \(g \(gone\)\)"),
        ({"f": "ast:a"}, {"f": "ast:a", "g": "ast:a"}, r"changed \(g \(new\)\)"),
        (
            {"f": "cpython-311:a"},
            {"f": "cpython-312:a"},
            r"whether .* changed \(f\) since .* is unknown",
        ),
        ({str(i): "ast:a" for i in range(9)}, {"f": "ast:a"}, r"and 5 more\)"),
    ],
)
def test_pieces_that_come_go_or_do_not_compare_are_said(old: dict, new: dict, said: str):
    history: list[dict] = []
    for turn, pieces in ((0, old), (5, new)):
        history.append(newer(history, {"problem": {"p": pieces}, "strategy": {}}, turn))
    (line,) = lines(history, {RUNS[0]: [1]})
    assert re.search(said, line)


def test_code_that_was_never_noted_is_not_vouched_for():
    history = [newer([], {"problem": {"p": {"f": "ast:a"}}, "strategy": {}}, 5)]
    (line,) = lines(history, {RUNS[0]: [1]})
    assert re.match("whether the code of problem p changed since trial 0 .* is unknown", line)

"""Shards merged: equal to the whole, wherever they were cut; refused where they are none."""

import json
import re
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from doubles import Halving, Walk
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import hpo_research as hpo
from hpo_research.analysis import machines
from hpo_research.analysis.export import export
from hpo_research.cli import app
from hpo_research.cluster.merging import merge
from hpo_research.errors import (
    ExperimentError,
    HpoError,
    MergeWarning,
    StoreError,
    StoreLockedError,
)
from hpo_research.experiment import provenance
from hpo_research.experiment.experiment import Experiment
from hpo_research.experiment.shards import Assignment, Shard, shard
from hpo_research.store import RunName, Store, store, writer
from hpo_research.store.connection import FILE, commit

TIMES = ["cost_seconds", "epoch_seconds", "clock_seconds"]


def experiment(**options: object) -> hpo.Experiment:
    given: dict[str, object] = {
        "name": "parts",
        "problems": [Walk()],
        "strategies": {"halving": hpo.SuccessiveHalving(eta=3), "stopping": Halving()},
        "seeds": range(3),
        "budget": hpo.Budget(evaluations=4),
        "parallel": 4,
    }
    return hpo.Experiment(**{**given, **options})


def exported(result: hpo.Result, *, with_times: bool) -> list[str]:
    """The files of an export, of which machines are to make the same bytes."""
    if with_times:
        with tempfile.TemporaryDirectory() as folder:
            return [path.read_text() for path in export(result, folder)]
    frames = [result.frame(), result.reports()]
    return [frame.drop(columns=TIMES, errors="ignore").to_csv() for frame in frames]


@pytest.fixture(scope="module", autouse=True)
def _no_git() -> Iterator[None]:
    """Sessions do not ask git for the commit, which takes longer than to run a shard."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "commit", lambda: "")
        yield


class Killed(BaseException):
    """Stands for SIGKILL."""


@contextmanager
def killed_after(transactions: int | None) -> Iterator[None]:
    """End a process after so many of its transactions; where None, when it is done."""
    count = 0

    def counted(connection: sqlite3.Connection, log: object) -> None:
        nonlocal count
        commit(connection, log)
        count += 1
        if count == transactions:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "commit", counted)
        with suppress(Killed):
            yield


def run_shards(one: Experiment, out: Path, count: int, cuts: list[int | None]) -> None:
    for number, cut in zip(range(1, count + 1), cuts, strict=False):
        with killed_after(cut):
            hpo.run(one, out=out, shard=(number, count))


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], hpo.Result]:
    """One process for all, in each execution."""
    place, known = tmp_path_factory.mktemp("wholes"), dict[str, hpo.Result]()

    def whole(execution: str) -> hpo.Result:
        if execution not in known:
            known[execution] = hpo.run(experiment(execution=execution), out=place / execution)
        return known[execution]

    return whole


CUTS = st.one_of(st.none(), st.integers(6, 30))


@settings(max_examples=4, deadline=None)
@given(st.data(), st.sampled_from(["lock-step", "simulated"]), st.integers(1, 5))
def test_shards_cut_anywhere_and_merged_go_on_to_the_whole(wholes, data, execution, count):
    cuts = data.draw(st.lists(CUTS, min_size=count, max_size=count), label="cuts")
    one = experiment(execution=execution)
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        run_shards(one, out, count, cuts)
        shards = data.draw(st.permutations(list(out.glob("shards/*"))), label="order")
        made = merge(out, shards, partial=True)
        assert made.histories.keys() <= wholes(execution).histories.keys()
        # On a simulated clock seconds are part of it.
        with_times = execution == "simulated"
        went_on = hpo.run(one, out=out)
        assert exported(went_on, with_times=with_times) == exported(
            wholes(execution), with_times=with_times
        )


NAMES = st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True).map(sorted)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), NAMES)
def test_every_run_is_in_one_shard_and_shards_differ_by_one_run(count, seeds):
    one = experiment(seeds=seeds)
    found = Assignment(count, {}).grown(one)
    assert found.shards.keys() == set(one.run_names())
    sizes = [len(found.of(Shard(k, count))) for k in range(1, count + 1)]
    assert max(sizes) - min(sizes) <= 1
    first = one.run_names()
    assert [found.shards[name] for name in first] == [i % count + 1 for i in range(len(first))]
    more = replace(one, seeds=[*seeds, 50, 51, 52])
    some = replace(one, seeds=[*seeds, 50])
    at_once = found.grown(more)
    assert at_once == found.grown(some).grown(more)  # seeds at once or in turn
    assert at_once.shards.items() >= found.shards.items()


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parted")
    run_shards(experiment(), out, 3, [None] * 3)
    return out


@pytest.fixture
def shards(parted: Path, tmp_path: Path) -> Path:
    """A folder with three finished shards."""
    return shutil.copytree(parted, tmp_path / "parts")


def test_a_merged_store_takes_more_seeds_and_more_budget(shards: Path, tmp_path: Path):
    merge(shards)
    more = experiment(seeds=range(4), budget=hpo.Budget(evaluations=5))
    went_on = hpo.run(more, out=shards)
    whole = hpo.run(more, out=tmp_path / "whole")
    assert exported(went_on, with_times=False) == exported(whole, with_times=False)


def test_shards_take_more_seeds_and_more_budget(shards: Path, tmp_path: Path):
    merge(shards)
    more = experiment(seeds=range(4), budget=hpo.Budget(evaluations=5))
    for number in (1, 2):
        hpo.run(more, out=shards, shard=(number, 3))
    with pytest.raises(StoreError, match=r"3/3.*budget.evaluations: (5|4)") as found:
        merge(shards)
    assert "seeds" in str(found.value)
    hpo.run(more, out=shards, shard="3/3")
    again = merge(shards)
    whole = hpo.run(more, out=tmp_path / "whole")
    assert exported(again, with_times=False) == exported(whole, with_times=False)


def test_to_merge_twice_changes_nothing(shards: Path):
    made = merge(shards)
    before = (shards / FILE).read_bytes()
    assert exported(merge(shards), with_times=True) == exported(made, with_times=True)
    assert (shards / FILE).read_bytes() == before


def test_a_merge_that_is_killed_has_changed_nothing(shards: Path, tmp_path: Path):
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer.Writer, "checkpoints", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            merge(out, [shards])
    with pytest.raises(StoreError, match="holds no experiment yet"):
        hpo.Result.read(out)
    assert merge(out, [shards]).is_finished


def test_a_merged_store_that_was_run_since_is_not_merged_into(shards: Path):
    merge(shards)
    more = experiment(seeds=range(4))
    hpo.run(more, out=shards)
    run_shards(more, shards, 3, [None] * 3)
    with pytest.raises(StoreError, match="has been run since, which a merge would undo"):
        merge(shards)


def _none(shards: Path) -> list[Path]:
    return [shards.parent / "empty"]


def _missing(shards: Path) -> list[Path]:
    return [shards / "shards/1-of-3"]


def _twice(shards: Path) -> list[Path]:
    return [shards, shards / "shards/2-of-3"]


def _copied(shards: Path) -> list[Path]:
    copy = shutil.copytree(shards / "shards/2-of-3", shards.parent / "copy")
    return [shards, copy]


def _whole(shards: Path) -> list[Path]:
    hpo.run(experiment(seeds=[0]), out=shards.parent / "whole")
    return [shards.parent / "whole"]


def _foreign(shards: Path) -> list[Path]:
    hpo.run(experiment(name="others"), out=shards.parent / "others", shard="1/3")
    return [shards / "shards/2-of-3", shards / "shards/3-of-3", shards.parent / "others"]


def _other_count(shards: Path) -> list[Path]:
    hpo.run(experiment(), out=shards.parent / "others", shard="1/4")
    return [shards / "shards/2-of-3", shards / "shards/3-of-3", shards.parent / "others"]


def _changed(shards: Path) -> list[Path]:
    changed = experiment(problems=[Walk(fails_above=0.5)])
    hpo.run(changed, out=shards.parent / "others", shard="1/3")
    return [shards / "shards/2-of-3", shards / "shards/3-of-3", shards.parent / "others"]


def _unfinished(shards: Path) -> list[Path]:
    shutil.rmtree(shards / "shards/3-of-3")
    with killed_after(8):
        hpo.run(experiment(), out=shards, shard="3/3")
    return [shards]


def _damaged(shards: Path) -> list[Path]:
    path = shards / "shards/2-of-3" / FILE
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE report SET clock = clock + 1")
        db.commit()
    return [shards]


WRONG: dict[str, tuple[Callable[[Path], list[Path]], str]] = {
    "no shard at all": (_none, "there is no such folder"),
    "two are missing": (_missing, r"missing: shard 2/3, 3/3; run what has not run \(--shard 2/3"),
    "the same folder twice": (_twice, "is given twice"),
    "a copy": (_copied, r"shard 2/3 is given 2 times, in .*copy"),
    "a whole experiment": (_whole, "holds a whole experiment, 'parts', and no shard"),
    "of another experiment": (_foreign, "is of the experiment 'parts'|of the experiment 'others'"),
    "of another number": (_other_count, "is one of 4 shards|is one of 3 shards"),
    "of a changed experiment": (_changed, r"of a changed experiment: .*fails_above: .* became"),
    "unfinished": (_unfinished, r"3/3 .* is not finished, in \d of its 2 runs; .*--partial"),
    "damaged": (_damaged, "damaged or was edited"),
}


@pytest.mark.parametrize(("make", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_whole_is_refused(shards, tmp_path, make, message):
    with pytest.raises(HpoError, match=message):
        merge(tmp_path / "out", make(shards))
    with pytest.raises(StoreError):  # nothing was made of it
        hpo.Result.read(tmp_path / "out")


def test_a_shard_that_is_running_is_not_merged(shards: Path, tmp_path: Path):
    with (
        Store.write(shards / "shards/2-of-3"),
        pytest.raises(StoreLockedError, match=r"2-of-3: a process is writing"),
    ):
        merge(tmp_path / "out", [shards])


@pytest.mark.parametrize("given", ["2/1", "0/3", "1", "a/b", (1,), (1, 2, 3), 2, (1.5, 3), b"1/2"])
def test_what_names_no_shard_is_refused(given, tmp_path):
    with pytest.raises(ExperimentError, match="expected its number, from 1"):
        hpo.run(experiment(), out=tmp_path, shard=given)
    assert not list(tmp_path.iterdir())


def test_a_shard_may_be_named_in_three_ways():
    assert shard("2/8") == shard((2, 8)) == shard(Shard(2, 8)) == Shard(2, 8)


def test_a_folder_of_another_part_is_refused(shards: Path):
    with pytest.raises(ExperimentError, match="holds shard 1/3, and no shard was asked for"):
        hpo.run(experiment(), out=shards / "shards/1-of-3")
    (shards / "shards/1-of-3").rename(shards / "shards/1-of-4")
    with pytest.raises(ExperimentError, match="holds shard 1/3, and shard 1/4 was asked for"):
        hpo.run(experiment(), out=shards, shard=(1, 4))
    merge(shards, partial=True).folder.joinpath(FILE).rename(shards / "shards/2-of-3" / FILE)
    with pytest.raises(ExperimentError, match="holds an experiment that is no shard; choose"):
        hpo.run(experiment(), out=shards, shard=(2, 3))
    with pytest.raises(ExperimentError, match="has 6 runs; use at most as many shards"):
        hpo.run(experiment(), out=shards, shard=(1, 7))


@dataclass
class Elsewhere:
    """Makes sessions believe that they are on other machines."""

    patch: pytest.MonkeyPatch

    def at(self, host: str, processor: str) -> None:
        self.patch.setattr(provenance.socket, "gethostname", lambda: host)
        self.patch.setattr(provenance, "processor", lambda: processor)


def test_the_merged_store_says_which_machine_ran_what(tmp_path: Path, monkeypatch):
    one, where = experiment(seeds=[0]), Elsewhere(monkeypatch)
    where.at("a", "Xeon")
    hpo.run(one, out=tmp_path, shard="1/2")
    where.at("b", "EPYC")
    hpo.run(one, out=tmp_path, shard="2/2")
    with pytest.warns(MergeWarning, match="processor: Xeon in shard 1/2; EPYC in shard 2/2"):
        merge(tmp_path)
    where.at("c", "EPYC")
    made = hpo.run(replace(one, seeds=[0, 1]), out=tmp_path)
    hosts = {name: [own.host for own in ran] for name, ran in machines.machines(made).items()}
    assert hosts == {
        RunName("walk", "halving", 0): ["a"],
        RunName("walk", "stopping", 0): ["b"],
        RunName("walk", "halving", 1): ["c"],
        RunName("walk", "stopping", 1): ["c"],
    }
    assert machines.lines(made) == ["a (Xeon): 1 runs", "b (EPYC): 1 runs", "c (EPYC): 2 runs"]


def test_shards_of_one_machine_are_merged_without_a_warning(shards: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        merge(shards)


FILE_TEXT = """
import hpo_research as hpo
experiment = hpo.Experiment(
    "tiny", problems=[hpo.problem("branin")], strategies={"random": hpo.Random()},
    seeds=range(3), budget=hpo.Budget(evaluations=3),
)
"""


def test_the_commands_run_show_and_merge_shards(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.py").write_text(FILE_TEXT)

    def command(*words: str):
        return CliRunner().invoke(app, words)

    done = command("run", "tiny.py", "--shard", "2/3", "--out", "out")
    assert "hpo merge out joins it with the other shards" in done.stdout, done.output
    shown = command("status", "out").stdout
    assert "1 of 3 shards are finished\nnot begun: 1/3, 3/3\ntiny: 1 of 3 runs" in shown
    facts = json.loads(command("status", "out", "--json").stdout)
    assert (facts["is_finished"], facts["shards"][1]) == (False, "not begun: 1/3, 3/3")
    refused = command("merge", "out")
    assert refused.exit_code == 1
    assert "missing: shard 1/3, 3/3" in refused.stderr
    command("run", "tiny.py", "--shard", "1/3", "--out", "out")
    command("run", "tiny.py", "--shard", "3/3", "--out", "out")
    merged = command("merge", "out")
    assert re.search(
        r"\) ran shards 1/3, 2/3, 3/3\nmerged 3 shards, 3 runs into out", merged.stdout
    )
    assert "nothing was changed" in command("merge", "out").stdout
    assert "tiny: 3 of 3 runs finished" in command("status", "out").stdout

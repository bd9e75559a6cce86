"""The report: one page without anything outside of it, a manifest, and what they say."""

import base64
import hashlib
import json
import re
import resource
import shutil
from functools import partial
from pathlib import Path

import pytest
from doubles import SPACE, Walk
from handmade import histories, made

import hpo_research as hpo
from hpo_research import report
from hpo_research.analysis.result import Result
from hpo_research.errors import StoreWriteError
from hpo_research.experiment import loop
from hpo_research.experiment.provenance import Source
from hpo_research.figures import draw as drawing
from hpo_research.figures.draw import attempt
from hpo_research.problems.wrappers import Noisy
from hpo_research.report.identical_strategies import identical_strategies
from hpo_research.store import Store
from hpo_research.store.schema import VERSION
from tests.report.browser import mistakes, sheets
from tests.report.pages import Page

NASTY = "<b>&amp; 100% $x_1$<i>"
TEXT = 'print("<script>alert(1)</script> & {{ name }}")\n'


def experiment(**options: object) -> hpo.Experiment:
    given = {
        "name": NASTY,
        "problems": [Walk(max_epochs=1), Walk(name="other", max_epochs=3)],
        "strategies": {"random": hpo.Random(), "hb & <co>": hpo.Hyperband()},
        "seeds": range(2),
        "budget": hpo.Budget(evaluations=4),
    }
    return hpo.Experiment(**{**given, **options})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A results folder of an experiment that came from a file, with its report."""
    folder = tmp_path_factory.mktemp("reported")
    source = Source("mine.py", TEXT, ("--seeds", "0:2"))
    report.write(hpo.run(experiment(), out=folder, device="cpu", source=source), folder)
    return folder


@pytest.fixture(scope="module")
def page(folder) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Reports are made without figures, which are not what a test is about."""
    monkeypatch.setattr("hpo_research.report.report.attempt", lambda *_, **__: [])


@pytest.fixture
def two_drawn(monkeypatch) -> None:
    """Reports are made with two figures of all."""
    only = partial(attempt, names=["incumbent", "finals"])
    monkeypatch.setattr("hpo_research.report.report.attempt", only)


# --- the page ---


def test_every_tag_is_closed(page):
    assert page.open == []


def test_the_page_needs_nothing_outside_of_it(page, folder):
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in page.all("img"))
    links = [link["href"] for link in page.all("a")]
    places = {f"#{own['id']}" for _, own in page.tags if "id" in own}
    assert all(link in places or (folder / link).is_file() for link in links)
    assert {link for link in links if link.startswith("#")} == places
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    text = (folder / "report.html").read_text(encoding="utf-8")
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import|@font-face", style)


def test_the_images_are_the_figures_each_with_an_alternative_text(page, folder):
    images = page.all("img")
    held = {base64.b64decode(image["src"].partition(",")[2]) for image in images}
    assert held == {path.read_bytes() for path in (folder / "figures").glob("*.svg")}
    assert all(image["alt"].startswith("Figure: ") for image in images)
    assert len(page.all("figcaption")) == len(images)


def test_a_users_signs_are_shown_as_they_are(page, folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "<b>&amp; 100%" not in text
    assert NASTY in page.text
    assert "hb & <co>" in page.text


def test_every_table_is_on_the_page(page, folder):
    titles = ["Final values", "Mean ranks", "Pairwise comparisons", "What was spent", "Seconds"]
    titles += ["What stopping early saved", "How soon one is where another ends"]
    assert all(title in page.text for title in titles)
    assert len([a for a in page.all("table") if a.get("class") == "data"]) == 10


def test_the_file_the_command_and_the_set_up_are_on_the_page(page):
    assert " ".join(TEXT.split()) in page.text
    assert "hpo run mine.py --device cpu --seeds 0:2" in page.text
    assert "Hyperband(eta=3, rounding='ceil', " in page.text
    assert "Float(low=0.0, high=1.0" in page.text
    assert "4 evaluations per run" in page.text


def test_the_environment_is_on_the_page(page, folder):
    (note,) = Result.read(folder).provenance
    for value in (note["python"], note["device"], *note["versions"].values()):
        assert value in page.text


def test_hyperband_on_one_epoch_is_said_to_equal_random_search(page):
    assert (
        "walk has a single epoch, so there is nothing to stop early: hb & <co> (Hyperband) has "
        "one rung there and equals random search."
    ) in page.text
    assert (
        "On walk, random and hb & <co> tried the same configurations in every seed and got the "
        "same values."
    ) in page.text
    assert "On other, random and" not in page.text


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        (hpo.Random(), "random search"),
        (hpo.Random("sobol"), "its inner strategy, Random"),
        (hpo.Bayesian(), "its inner strategy, Bayesian"),
        (hpo.Hyperband(), "its inner strategy, Hyperband"),
    ],
    ids=str,
)
def test_hyperband_on_one_epoch_is_said_to_equal_its_inner_strategy(inner, said):
    with Store.in_memory() as store:
        options = {"strategies": {"bohb": hpo.Hyperband(inner=inner)}, "seeds": [0]}
        loop.open_experiment(experiment(**options), store, "cpu")
        assert identical_strategies(Result.of(store)) == [
            "walk has a single epoch, so there is nothing to stop early: bohb (Hyperband) has one "
            f"rung there and equals {said}."
        ]


@pytest.mark.parametrize(
    ("strategy", "has"),
    [
        (hpo.SuccessiveHalving(), "one rung"),
        (hpo.EarlyDiscarding(), "one rung"),
        (hpo.ASHA(), "one rung"),
        (hpo.AsynchronousHyperband(), "one rung"),
        (hpo.MedianStopping(hpo.Random()), "nothing to judge"),
        (hpo.CurveStopping(hpo.Random()), "nothing to judge"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_stops_early_is_said_to_equal_its_inner_strategy_on_one_epoch(strategy, has):
    with Store.in_memory() as store:
        options = {"strategies": {"early": strategy}, "seeds": [0]}
        loop.open_experiment(experiment(**options), store, "cpu")
        assert identical_strategies(Result.of(store)) == [
            "walk has a single epoch, so there is nothing to stop early: early "
            f"({type(strategy).__name__}) has {has} there and equals random search."
        ]


def test_a_finished_experiment_says_so(page):
    assert "All 8 runs are finished." in page.text
    assert "Not finished yet" not in page.text


# --- the manifest and the bytes ---


def test_the_manifest_lists_every_file_by_its_digest(folder):
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    parts = [folder / "report.html", *folder.glob("figures/*"), *folder.glob("tables/*")]
    assert manifest["files"] == {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in parts
    }
    assert (manifest["experiment"], manifest["schema"]) == (NASTY, VERSION)
    assert manifest["commands"] == ["hpo run mine.py --device cpu --seeds 0:2"]
    assert manifest["versions"]["experiment"] == Result.read(folder).provenance[-1]["versions"]
    assert list(manifest) == sorted(manifest)


def test_no_path_of_this_machine_is_written(folder):
    for path in (folder / "report.html", folder / "manifest.json", *folder.glob("tables/*")):
        assert str(folder.parent) not in path.read_text(encoding="utf-8")


def test_a_report_made_again_has_the_same_bytes(folder, tmp_path):
    report.write(Result.read(folder), tmp_path)
    names = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(names) > 20
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_each_figure_is_drawn_once(monkeypatch, folder, tmp_path):
    calls = []

    def counted(result, place, **options):
        calls.append(place)
        return attempt(result, place, **options, names=["finals"])

    monkeypatch.setattr("hpo_research.report.report.attempt", counted)
    report.write(Result.read(folder), tmp_path)
    assert calls == [tmp_path / "figures"]


# --- other experiments ---


def written(folder: Path) -> str:
    return Page(report.write(Result.read(folder), folder).read_text(encoding="utf-8")).text


@pytest.mark.usefixtures("undrawn")
def test_an_experiment_from_python_has_no_file_and_the_page_says_so(tmp_path):
    hpo.run(experiment(name="plain"), out=tmp_path, device="cpu")
    assert "so the store holds no experiment file" in written(tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["commands"] == []


@pytest.mark.usefixtures("undrawn")
def test_a_file_that_changed_between_sessions_is_shown_as_it_was_too(tmp_path):
    for text, seeds in {"first = 1": [0], "second = 2": [0, 1]}.items():
        source = Source("mine.py", text)
        hpo.run(experiment(name="twice", seeds=seeds), out=tmp_path, device="cpu", source=source)
    text = written(tmp_path)
    assert text.index("second = 2") < text.index("earlier version") < text.index("first = 1")


@pytest.mark.usefixtures("undrawn")
def test_what_is_not_over_is_said(tmp_path, monkeypatch):
    class Halted(Exception):
        pass

    def watch(progress):
        if any(0 < run.share < 1 for run in progress.runs):
            raise Halted

    monkeypatch.setattr(loop, "_WATCH_SECONDS", 0.0)
    with pytest.raises(Halted):
        hpo.run(experiment(), out=tmp_path, device="cpu", progress=watch)
    text = written(tmp_path)
    assert re.search(r"\d of 8 runs are not finished yet: this page shows what was known", text)
    assert re.search(
        r"random on other: \d of 2 runs finished, \d+ trials, \d+ of them running", text
    )


@pytest.mark.usefixtures("two_drawn")
def test_a_report_is_written_while_the_store_is_written_to(folder, tmp_path):
    with Store.write(folder) as store, store._transaction():
        store._writer.text("note", "not yet committed")
        assert report.write(Result.read(folder), tmp_path).exists()


@pytest.mark.usefixtures("undrawn")
def test_runs_in_which_everything_failed_are_named(tmp_path):
    def broken(config):  # a local function runs in this process: workers take seconds to start
        raise ValueError("<i>no</i>")

    problem = hpo.FunctionProblem(broken, SPACE)
    options = {"problems": [problem], "strategies": {"random": hpo.Random()}, "seeds": [3]}
    hpo.run(experiment(**options), out=tmp_path, device="cpu")
    text = written(tmp_path)
    assert "random on broken, seed 3: all 4 trials failed; the first: ValueError: <i>no</i>" in text


@pytest.mark.usefixtures("undrawn")
def test_a_noisy_experiment_shows_recommended_and_best_observed_trials(tmp_path, page):
    options = {
        "problems": [Noisy(hpo.problem("branin"), 20.0)],
        "strategies": {"random": hpo.Random(), "model": hpo.Bayesian(samples=8, starts=4)},
    }
    hpo.run(experiment(**options, name="noise"), out=tmp_path, device="cpu")
    text = written(tmp_path)
    for shown in ("Values without noise", "Recommended", "Best observed"):
        assert shown in text
        assert shown not in page.text
    assert (tmp_path / "tables/noise_free.csv").exists()


def test_a_study_without_any_value_has_a_page(tmp_path):
    with hpo.Study(SPACE, hpo.Random(), path=tmp_path):
        text = written(tmp_path)
    assert "Not finished yet: 0 trials when this page was made." in text
    assert "This is a study" in text


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreWriteError, match="could not be written"):
        report.write(Result.read(folder), tmp_path / "file")


@pytest.mark.usefixtures("two_drawn")
def test_a_figure_that_cannot_be_drawn_says_so_in_its_place(folder, tmp_path, monkeypatch):
    def fail(result):
        raise OverflowError("too <large> to draw")

    monkeypatch.setattr(drawing, "finals_figure", fail)
    published = report.publish(Result.read(folder), tmp_path)
    assert published.missing == ("no figure “Final values” (OverflowError: too <large> to draw)",)
    page = Page(published.page.read_text(encoding="utf-8"))
    where = "Final values This figure could not be drawn: OverflowError: too <large> to draw"
    assert where in page.text
    assert "Pairwise comparisons" in page.text
    assert len(page.all("img")) == len(page.all("figure")) - 1


@pytest.mark.usefixtures("two_drawn")
def test_on_a_full_disk_the_page_of_before_stays_whole(folder, tmp_path):
    result = Result.read(folder)
    page = report.write(result, tmp_path)
    before = page.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))  # no file may grow beyond that
    try:
        with pytest.raises(StoreWriteError, match="could not be written"):
            report.write(result, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert page.read_bytes() == before
    assert not list(tmp_path.rglob(".*.part"))


# --- as a browser shows it ---

BROKEN = """<!DOCTYPE html><body style="width: 600px"><p>wide</p>
<table class="data" style="table-layout: fixed; width: 200px"><tr>
<td style="overflow: hidden; white-space: nowrap; width: 40px">cut where the cell ends</td>
<td style="overflow-wrap: anywhere; width: 20px">brokenword</td></tr></table>"""


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("needs chromium")
    return found


@pytest.mark.usefixtures("undrawn")
def test_nothing_is_cut_or_wider_than_its_window(chromium, folder, tmp_path):
    study = made(histories(["a_problem"], ["a_strategy_of_a_rather_long_name"], seeds=1))
    broken = tmp_path / "broken.html"
    broken.write_text(BROKEN)
    pages = {"comparison": folder / "report.html", "broken": broken}
    pages["study"] = report.write(study, tmp_path)
    found = mistakes(chromium, pages, [390, 1280], tmp_path)
    kinds = [line.partition(" ")[0] for line in found.pop("broken at 390")]
    assert kinds == ["the", "beyond", "cut:", "broken:"]
    assert [line.partition(":")[0] for line in found.pop("broken at 1280")] == ["cut", "broken"]
    assert found == {
        f"{name} at {width}": [] for name in ("comparison", "study") for width in (390, 1280)
    }


def test_the_page_is_printed_on_few_sheets(chromium, folder, tmp_path):
    figures = len(list((folder / "figures").glob("*.svg")))
    assert 3 < sheets(chromium, folder / "report.html", tmp_path) <= 4 + figures

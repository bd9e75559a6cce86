"""What objects show of themselves: short lines, and small pages that nobody's text can change."""

import re
from xml.etree import ElementTree

import pytest

import hpo_research as hpo
from hpo_research import html
from hpo_research.records import Trial

SPACE = hpo.SearchSpace(
    {
        "learning rate": hpo.Float(1e-5, 0.1, scale="log"),
        "kind": hpo.Categorical(["<b>", "\x1b[2J"]),
    }
)


def study(**options) -> hpo.Study:
    """Five trials: three with a value, one that failed and one that is running."""
    made = hpo.Study(SPACE, hpo.Random(), **options)
    for value in (0.5, 0.25, 0.75):
        made.tell(made.ask()[0], value)
    made.fail(made.ask()[0], "<script>alert(1)</script>\nsecond line")
    made.ask()
    return made


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> hpo.Result:
    return hpo.run(experiment(), out=tmp_path_factory.mktemp("r"), progress=False)


def experiment() -> hpo.Experiment:
    problems = [hpo.problem("branin"), hpo.problem("ackley")]
    return hpo.Experiment(
        "<i>e", problems, {"r": hpo.Random()}, range(3), hpo.Budget(evaluations=2)
    )


def page(own: object) -> ElementTree.Element:
    """What an object shows, which is well-formed."""
    return ElementTree.fromstring(own._repr_html_())


def words(own: object) -> str:
    return " ".join("".join(page(own).itertext()).split())


def test_a_study_says_how_it_stands():
    assert repr(study()) == (
        "<Study of Random, 5 trials, 1 failed, 1 running; best value 0.25 (trial 1)>"
    )
    assert repr(hpo.Study(SPACE)) == "<Study of Bayesian, 0 trials; no value yet>"


def test_a_metric_has_its_own_name_and_direction():
    made = study(metric="accuracy", direction="maximize")
    assert "best accuracy 0.75 (trial 2)" in repr(made)
    assert "accuracy, higher is better" in words(made)
    (facts,) = hpo.Result.of(made._store).facts.problems.values()
    assert facts.metric == "accuracy"


def test_a_study_draws_what_ended_and_says_why_what_failed():
    made = page(study())
    assert len(made.findall(".//circle")) == 3
    ticks = made.findall(".//svg/path")[-1].attrib["d"]
    assert ticks.count("M") == 1  # the running one is no failure
    text = words(study())
    assert "1 failure, the last: <script>alert(1)</script>" in text and "second" not in text


def test_text_of_others_is_text():
    for own in (study(), study().best, SPACE, experiment()):
        shown = own._repr_html_()
        assert not re.search(r"<(b|i|script)>(?!Study|Trial|Search|Exp)", shown)
        assert "\x1b" not in shown


def test_a_trial_has_its_configuration_and_its_curve():
    trial = Trial(3, {"x": 0.5}, "finished", 4, (1, 2, 4), (9.0, 4.0, 2.0), 2.0)
    assert repr(trial) == "<Trial 3, finished after 4 epochs, value 2.0: {'x': 0.5}>"
    assert page(trial).find(".//polyline") is not None
    single = Trial(0, {"x": 0.5}, "failed", 1, reason="no memory")
    assert page(single).find(".//polyline") is None and "no memory" in words(single)


def test_a_space_is_the_call_that_makes_it_while_that_is_short():
    space = hpo.SearchSpace(
        a=hpo.Float(0, 1, step=0.25),
        b=hpo.Integer(1, 64, scale="log"),
        c=hpo.Categorical([1, None], ordered=True),
    )
    names = {
        name: getattr(hpo, name) for name in ("SearchSpace", "Float", "Integer", "Categorical")
    }
    assert eval(repr(space), names) == space
    assert repr(SPACE).startswith("<SearchSpace of 2 hyperparameters: learning rate, kind>")


def test_large_things_are_short():
    wide = hpo.SearchSpace({f"x{i}": hpo.Float(0, 1) for i in range(300)})
    listed = hpo.SearchSpace(x=hpo.Integer(0, 9999), among=[{"x": i} for i in range(5000)])
    assert "5,000 configurations" in repr(listed)
    made = hpo.Study(wide, hpo.Random())
    for trial in made.ask(600):
        made.tell(trial, trial.config["x0"])
    for own in (wide, listed, made, made.best, made._ledger.run()):
        assert len(repr(own)) < 600 and repr(own).count("\n") == 0
    assert len(made._repr_html_()) < 40_000 and len(wide._repr_html_()) < 20_000
    assert "260 more" in words(wide) and "a dot is one in 2" in words(made)


def test_an_experiment_and_its_result_say_what_they_are_of(result):
    assert repr(experiment()) == (
        "<Experiment '<i>e': 2 problems × 1 strategy × 3 seeds, Budget(evaluations=2)>"
    )
    assert "budget of a run Budget(evaluations=2)" in " ".join(
        "".join(cell.itertext()) for cell in page(experiment()).iter("td")
    )
    assert "6 of 6 runs finished" in repr(result)
    rows = page(result).findall(".//tr")
    assert ["".join(cell.itertext()) for cell in rows[1]][:5] == ["branin", "r", "3", "6", "0"]


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(
    "values", [[1.0, 1.0], [-1e308, 1e308], [float("inf"), 1.0, None, 2.0], [5e-324, 0.0]], ids=str
)
def test_whatever_the_values_are_they_lie_within_the_picture(values, direction):
    drawn = ElementTree.fromstring(html.sparkline(values, direction))
    for dot in drawn.iter("circle"):
        assert 0 <= float(dot.attrib["cx"]) <= html.WIDTH
        assert 0 <= float(dot.attrib["cy"]) <= html.HEIGHT


def test_better_is_down_where_lower_is_and_up_where_higher_is():
    heights = {}
    for sign in (1, -1):
        drawn = ElementTree.fromstring(html.sparkline([1.0, 2.0, 3.0], sign))
        heights[sign] = [float(dot.attrib["cy"]) for dot in drawn.iter("circle")]
    assert heights[1][0] > heights[1][2] and heights[-1][0] > heights[-1][2]


def test_below_two_values_nothing_is_drawn():
    assert html.sparkline([1.0, None]) == html.sparkline([]) == html.curve([1.0]) == ""


def test_a_trial_may_be_told_by_itself():
    made = hpo.Study(SPACE, hpo.Random())
    (trial,) = made.ask()
    other = Trial(0, {"learning rate": 0.1, "kind": "<b>"}, "running", 1)
    with pytest.raises(hpo.HpoError, match="trial 0 of this study has another configuration"):
        made.tell(other, 0.5)
    made.tell(trial, 0.5)
    assert made.best.value == 0.5

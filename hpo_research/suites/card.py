"""The data card of a suite, made from the suite itself so that it cannot be false."""

from collections import Counter

from hpo_research.analysis.baselines import Baseline
from hpo_research.experiment.budget import Budget
from hpo_research.problems.protocol import Problem, last_epoch
from hpo_research.records import OPEN
from hpo_research.space import Categorical, Float, Integer
from hpo_research.suites.catalog import suite, suites
from hpo_research.suites.measured import has_known_optimum, is_stored
from hpo_research.suites.suite import Suite
from hpo_research.text import count

_KINDS = {Float: "float", Integer: "integer", Categorical: "choice"}


def card(own: Suite) -> str:
    """Return a card in Markdown: a line a fact, and a table of the problems."""
    lines = [f"## {own.name}", "", f"{own.description}.", ""]
    lines += [f"- **{name}**: {value}" for name, value in facts(own).items()]
    baselines = own.baselines
    lines += ["", "| problem | parameters | start | best |", "| --- | --- | --- | --- |"]
    for problem in own:
        known = baselines.get(problem.name)
        start, best = ("unknown",) * 2 if known is None else (f"{known.start:.6g}", _best(known))
        cells = (problem.name, kinds(problem), start, best)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def facts(own: Suite) -> dict[str, str]:
    """Return what is to be known of a suite before it is used, by heading."""
    epochs = sorted({last_epoch(problem.max_epochs) for problem in own})
    known = sum(map(has_known_optimum, own))
    metrics = sorted({f"{p.metric}, {p.direction}d" for p in own})
    return {
        "what": f"{len(own)} problems; metric: {'; '.join(metrics)}",
        "source": own.source.origin,
        "licence": own.source.licence,
        "parameters": "; ".join(dict.fromkeys(map(kinds, own))),
        "epochs": ", ".join("open" if e == OPEN else str(e) for e in epochs),
        "budget": budget(own.budget),
        "noise": own.source.noise,
        "optimum known": f"of {known} of {len(own)}",
        "baselines": _baselines(own, known),
        "cite": own.source.cite,
    }


def _baselines(own: Suite, known: int) -> str:
    """Say what scores lie between; `known` is how many optima are."""
    count = sum(map(is_stored, own))
    if not count and not known:
        return "none, since no optimum is known: there are no scores"
    others = "measured when asked for" if known == len(own) else "none, and no scores"
    stored = "stored" if count == len(own) else others
    if 0 < count < len(own):
        stored = f"stored for {count} of {len(own)} (for the others {others})"
    best = "optimum" if known == len(own) else "best known value"
    scale = {
        "linear": "linear between them",
        "log": "by the logarithm of the regret, from the start's geometric mean to 10⁻⁸",
    }[own.scale]
    return (
        f"{stored}: 0 is the mean of the best of 5 Sobol points over 50 repeats, 100 the {best}; "
        f"{scale}"
    )


def _best(known: Baseline) -> str:
    return f"{known.best:.6g}" + ("" if known.is_optimum else " (best known)")


def kinds(problem: Problem) -> str:
    """Return how many parameters of each kind a problem has."""
    counted = Counter(_KINDS[type(own)] for own in problem.space.parameters.values())
    return " + ".join(count(n, kind) for kind, n in counted.items())


def budget(own: Budget) -> str:
    """Return a budget in words."""
    given = {name: getattr(own, name) for name in ("evaluations", "epochs", "trials", "seconds")}
    return ", ".join(f"{value} {name}" for name, value in given.items() if value is not None)


def page() -> str:
    """Return the page of all suites: their facts, each said once of suites of one family."""
    lines = [
        "# Problem suites",
        "",
        "Named sets of problems with a declared budget and stored baselines, for",
        '`Experiment(problems=hpo.suite("bbob-5d"), ...)`. This page is written by',
        "`python -m benchmarks.suites` from the suites themselves; `hpo suites NAME` prints a card",
        "with every problem. BBOB's exist in all dimensions that COCO has, and with any instance:",
        '`hpo.suite("bbob", dimension=7, instances=range(1, 16))`.',
    ]
    for listing in suites():
        own = suite(listing.name)
        lines += ["", f"## {own.name}", "", f"{own.description}.", ""]
        lines += [f"- **{name}**: {value}" for name, value in facts(own).items()]
        if listing.options:
            lines.append(f"- **options**: `{listing.options}`")
    return "\n".join(lines) + "\n"

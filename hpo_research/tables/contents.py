"""Which tables a result has."""

from collections.abc import Sequence
from dataclasses import replace

from hpo_research.ambient import ordinary
from hpo_research.analysis.areas import areas
from hpo_research.analysis.arguments import check_name
from hpo_research.analysis.finals import Finals, finals
from hpo_research.analysis.held_out import on_test_images
from hpo_research.analysis.improvement import improvement
from hpo_research.analysis.noise_free import noise_free
from hpo_research.analysis.over_problems import over_problems
from hpo_research.analysis.profiles import TOLERANCES, profiles
from hpo_research.analysis.result import Result
from hpo_research.analysis.running_times import running_times
from hpo_research.analysis.scores import scores, without_baseline
from hpo_research.analysis.single import is_single
from hpo_research.analysis.speed_ups import speed_ups
from hpo_research.analysis.stops import stops
from hpo_research.tables.areas import areas_table, profiles_table
from hpo_research.tables.choices import choices_table
from hpo_research.tables.held_out import tested_table
from hpo_research.tables.importance import importance_table
from hpo_research.tables.improvement import improvement_table, interquartile_table
from hpo_research.tables.noise_free import noise_free_table
from hpo_research.tables.over_problems import over_problems_table
from hpo_research.tables.paired import comparisons_table, ranks_table
from hpo_research.tables.power import power_table, too_many
from hpo_research.tables.running_times import running_times_table
from hpo_research.tables.scores import scores_table
from hpo_research.tables.speed_ups import speed_ups_table
from hpo_research.tables.spent import seconds_table, spent_table
from hpo_research.tables.stops import stops_table
from hpo_research.tables.study import trials_table
from hpo_research.tables.table import Table
from hpo_research.tables.values import finals_table, led_by_median, summary_table


@ordinary()
def tables(result: Result, control: str | None = None) -> list[Table]:
    """Return the tables of a result; those that compare need two strategies on a problem.

    With a `control`, a strategy's name, comparisons seed by seed are those with it alone.
    Raises `StoreError` for another name.
    Where a problem is noisy, models are fitted to its runs: see `analysis.noise_free` and
    `analysis.choices`.
    """
    if control is not None:
        check_name("strategy", control, result.facts.strategies)
    present = {name.problem for name in result.runs}
    known = [finals(result, name) for name in result.facts.problems if name in present]
    if not known:
        return []
    compared = [own for own in known if len(own.values) > 1]
    found = _values(result, known)
    scored = scores(result)
    if scored:
        found.append(scores_table(scored, without_baseline(result, scored)))
    noisy = noise_free(result)
    if noisy:
        found.append(noise_free_table(result, noisy))
        found.append(choices_table(result, result.choices))
    measured = on_test_images(result)
    if measured:
        found.append(tested_table(result, measured))
    if compared:
        pairs = comparisons_table(result, compared, control)
        if said := too_many(result, compared, control):
            pairs = replace(pairs, caption=f"{pairs.caption} {said}")
        planned = power_table(result, compared, control)
        found += [ranks_table(result, compared), pairs, *([] if planned is None else [planned])]
    over = over_problems(result, known)
    if over is not None:
        found.append(over_problems_table(over))
    better = improvement(result, known)
    if better is not None:
        found += [improvement_table(better), interquartile_table(compared)]
    if compared and (times := running_times(result)):
        found.append(running_times_table(times))
    if compared and (under := areas(result)):
        found.append(areas_table(under))
    solved = [own for own in (profiles(result, t) for t in TOLERANCES) if own is not None]
    if solved:
        found.append(profiles_table(solved))
    sooner = speed_ups(result)
    if sooner is not None:
        found.append(speed_ups_table(sooner))
    cut = stops(result)
    if cut and len(result.runs) > 1:
        found.append(stops_table(cut))
    decisive = importance_table(result)
    if decisive is not None:
        found.append(decisive)
    if is_single(result):
        return found
    return [*found, spent_table(result), seconds_table(result)]


def _values(result: Result, known: Sequence[Finals]) -> list[Table]:
    """Return what was found: of a single study its trials, else a summary; and of several runs."""
    led = led_by_median(result, known)
    found = [] if is_single(result) else [summary_table(result, known, led)]
    if not found and any(run.best() for run in result.runs.values()):
        found.append(trials_table(result))
    if len(result.runs) > 1:
        found.append(finals_table(result, known, led))
    return found

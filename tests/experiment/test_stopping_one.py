"""One trial of a run is stopped because somebody asks for it; the run goes on."""

from doubles import Walk

import hpo_research as hpo
from hpo_research.store import requests


def test_a_trial_is_stopped_on_request_and_its_run_goes_on(tmp_path):
    experiment = hpo.Experiment(
        name="one",
        problems=[Walk(fails_above=1)],
        strategies={"random": hpo.Random()},
        seeds=[0],
        budget=hpo.Budget(trials=4),
        parallel=2,
    )
    names = tuple(experiment.run_names())
    asked = []

    def ask_at_three(run):
        if run.trials and run.trials[0].reached == 3 and not asked:
            asked.append(requests.write(tmp_path, requests.Request(names, "", trials=(0, 7))))
        return ""

    result = hpo.run(experiment, out=tmp_path, progress=False, ends=ask_at_three)
    (run,) = result.runs.values()
    assert [trial.status for trial in run.trials] == ["stopped", *["finished"] * 3]
    assert 3 <= run.trials[0].reached <= 5
    assert run.trials[0].value == run.trials[0].values[-1]
    assert not requests.pending(tmp_path)
    assert not result.ended
    assert len(names) == 1

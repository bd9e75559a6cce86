"""Names of training jobs, and back from them to the trial."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hpo_research.sagemaker import names

JOBS = some.from_regex(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}", fullmatch=True).filter(
    lambda name: len(name) <= 32
)
SEEDS = some.integers(0, 2**63)
TRIALS = some.integers(0, 10_000)


@given(JOBS, SEEDS, TRIALS)
def test_a_name_has_the_form_of_the_service_and_leads_back(job, seed, trial):
    name = names.training_job(job, seed, trial)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
    assert len(name) <= 63
    assert names.parts(name) == (job, trial)
    assert names.trial_of(name, job, seed) == trial


@pytest.mark.parametrize(
    "name", ["", "job", "job-001", "job-000-0123abcd", "job-0001-0123abcd", "job-001-0123ABCD"]
)
def test_what_is_no_name_of_a_training_job_has_no_parts(name):
    assert names.parts(name) is None
    assert names.trial_of(name, "job", 0) is None


def test_a_name_is_that_of_one_job_seed_and_trial():
    assert names.training_job("job", 7, 0) == "job-001-" + names.training_job("x", 7, 0)[-8:]
    made = {names.training_job("job", seed, trial)[-8:] for seed in (0, 1) for trial in range(50)}
    assert len(made) == 100
    name = names.training_job("job", 7, 3)
    assert names.trial_of(name, "other", 7) is None
    assert names.trial_of(name, "job", 8) is None
    assert names.trial_of(name[:-1] + ("0" if name[-1] != "0" else "1"), "job", 7) is None

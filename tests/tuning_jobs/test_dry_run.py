"""A dry run: what metric definitions catch in a log, and what to change where it is nothing."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuning_jobs.examples import DOCUMENTS, changed
from typer.testing import CliRunner

from hpo_research import sagemaker
from hpo_research.cli import app
from hpo_research.errors import DocumentError
from hpo_research.sagemaker.dry_run import Match, caught, resource_line

AT = "TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions"
LOG = "start\nepoch 1 loss=0.5 acc: 0.7\nepoch 2 loss=0.25 acc: 0.8\nloss=nan\nlr loss\n"


def found(tmp_path, log, *definitions):
    (tmp_path / "log").write_text(log)
    metrics = [{"Name": name, "Regex": expression} for name, expression in definitions]
    return caught(sagemaker.load(changed("request", (AT, metrics))), tmp_path / "log")


def test_values_are_caught_with_their_lines(tmp_path):
    loss, acc = found(tmp_path, LOG, ("acc", "acc: ([0-9.]+)"), ("loss", "loss=([a-z0-9.]+)"))
    assert (loss.metric, loss.is_objective, loss.advice) == ("loss", True, "")
    assert loss.values == (Match(2, "0.5"), Match(3, "0.25"))
    assert loss.others == (Match(4, "nan"),)
    assert [match.value for match in acc.values] == [0.7, 0.8]
    assert not acc.is_objective


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("loss=(.*?)", "its group 1 is empty in every line, since a lazy group at the end takes"),
        ("Loss=([0-9.]+)", "it matches no line"),
        ("(epoch [0-9]+)", "what it catches is no number: 'epoch 1' in line 2"),
    ],
)
def test_where_nothing_is_caught_it_says_what_would(expression, why, tmp_path):
    (loss,) = found(tmp_path, LOG, ("loss", expression))
    assert loss.values == ()
    assert loss.advice.startswith(why)
    better = json.loads(loss.advice.partition(": write ")[2])
    assert [match[1] for match in re.finditer(better, LOG)] == ["0.5", "0.25"]


def test_a_metric_that_is_not_printed_is_to_be_printed(tmp_path):
    (loss,) = found(tmp_path, "nothing here\n", ("loss", "loss=([0-9.]+)"))
    assert loss.advice == (
        "it matches no line; no line has 'loss' and a number after it: let the program print it"
    )


@settings(max_examples=60, deadline=None)
@given(
    between=st.text("=: \t|'\"([{->", max_size=8),
    value=st.floats(-1e6, 1e6, allow_nan=False),
    before=st.sampled_from(["", "step 3, ", "[1/20] "]),
)
def test_what_is_advised_catches_the_number(between, value, before, tmp_path_factory):
    log = f"{before}loss{between}{value!r} done\n"
    (loss,) = found(tmp_path_factory.mktemp("log"), log, ("loss", "nothing(x)"))
    match = re.search(json.loads(loss.advice.partition(": write ")[2]), log)
    assert abs(float(match[1])) == abs(value)


def test_the_last_part_of_a_name_may_be_printed_alone(tmp_path):
    (tmp_path / "log").write_text("round 1 rmse: 0.4\n")
    (one,) = caught(sagemaker.load(DOCUMENTS["random"]), tmp_path / "log")
    assert one.values == ()
    assert "line 1 is 'round 1 rmse: 0.4': write \"rmse:" in one.advice


def test_without_definitions_the_objective_is_looked_for_by_its_name(tmp_path):
    (tmp_path / "log").write_text("val_f1=0.5\nval_f1: 0.625\nmy_val_f1=1\n")
    (one,) = caught(sagemaker.load(DOCUMENTS["grid"]), tmp_path / "log")
    assert [match.value for match in one.values] == [0.5, 0.625]


def test_hyperband_counts_the_values_of_the_objective(tmp_path):
    job = sagemaker.load(DOCUMENTS["hyperband"])
    for count, said in ((3, "of at most 81"), (90, "stopped at 81")):
        (tmp_path / "log").write_text("val_loss=1\n" * count)
        line = resource_line(job, caught(job, tmp_path / "log"))
        assert line == (
            f"{count} units of resource, one a value of val_loss; judged from 2 on, {said}"
        )
    (tmp_path / "log").write_text("val_loss=1\nval_loss=nan\n")
    assert resource_line(job, caught(job, tmp_path / "log")).startswith("2 units of resource")
    assert resource_line(sagemaker.load(DOCUMENTS["grid"]), []) == ""


def test_what_a_terminal_shows_is_read_and_bytes_are_never_fatal(tmp_path):
    (tmp_path / "log").write_bytes(b"\xff\xfe\n10%\r20% loss=0.5\r\nloss=0.25\n")
    (loss,) = found(tmp_path, "", ("loss", "loss=([0-9.]+)"))
    assert loss.values == ()
    (tmp_path / "log").write_bytes(b"\xff\xfe\n10%\r20% loss=0.5\r\nloss=0.25\n")
    metrics = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
    (loss,) = caught(sagemaker.load(changed("request", (AT, metrics))), tmp_path / "log")
    assert loss.values == (Match(2, "0.5"), Match(3, "0.25"))


def test_the_command_prints_it_and_fails_where_the_objective_is_lost(tmp_path):
    (tmp_path / "log").write_text(LOG)
    (tmp_path / "job.json").write_text(json.dumps(changed("request")))
    done = CliRunner().invoke(app, ["tune", f"{tmp_path}/job.json", "--dry-run", f"{tmp_path}/log"])
    assert done.exit_code == 0, done.output
    assert "objective loss, loss=([0-9.]+)" in done.output
    assert "2 values, the last 0.25: 0.5, 0.25" in done.output
    assert "in lines 2, 3" in done.output
    (tmp_path / "log").write_text("quiet\n")
    done = CliRunner().invoke(app, ["tune", f"{tmp_path}/job.json", "--dry-run", f"{tmp_path}/log"])
    assert done.exit_code == 1
    assert "nothing: it matches no line" in done.output
    gone = CliRunner().invoke(app, ["tune", f"{tmp_path}/job.json", "--dry-run", f"{tmp_path}/no"])
    assert gone.exit_code == 1
    assert "cannot be read (No such file or directory); name a log file" in gone.stderr


def test_a_log_that_is_no_path_is_refused(tmp_path):
    with pytest.raises(DocumentError, match="log: expected a path"):
        caught(sagemaker.load(DOCUMENTS["grid"]), 3)


def test_a_number_that_is_cut_short_is_said(tmp_path):
    log = "train-loss:0.9 val-loss:1.5e-05\nval-loss:0.25\n"
    train = ("loss", r"train-loss:(\S+)")
    _, one = found(tmp_path, log, train, ("val:loss", "val-loss:([0-9.]+)"))
    assert [match.text for match in one.values] == ["1.5", "0.25"]
    said = "it cuts line 1 short, '1.5' of '1.5e-05': write "
    assert one.advice.startswith(said)
    better = json.loads(one.advice.removeprefix(said))
    assert [match[1] for match in re.finditer(better, log)] == ["1.5e-05", "0.25"]
    _, whole = found(tmp_path, log, train, ("val:loss", better))
    assert whole.advice == ""

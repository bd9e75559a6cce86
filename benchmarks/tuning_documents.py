"""The five tuning-job documents run to their end on a real script, through the command line.

    python -m benchmarks.tuning_documents [NAME ...] [--no-record]

Part of `make evidence`: half an hour on two cores. Each document of `tests/tuning_jobs/documents`
is run by `hpo tune` on `experiments/tuning_job/train.py`; the warm start's parent is run first. An
entry of `tuning_documents.json` says how the job ended, how many training jobs it had, the most of
them at once, and the best. The exit code is 0 where all hold.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import enter, made_with
from hpo_research.analysis.result import Result
from hpo_research.records import Run
from hpo_research.sagemaker import TuningJob, load
from hpo_research.sagemaker.standing import standing

HERE = Path(__file__).parents[1]
RECORD = Path(__file__).with_name("tuning_documents.json")
DOCUMENTS = {p.stem: p for p in sorted((HERE / "tests/tuning_jobs/documents").glob("*.json"))}
SCRIPT = HERE / "experiments" / "tuning_job" / "train.py"
HPO = (sys.executable, "-c", "from hpo_research.cli import main; main()")


def ended(name: str, root: Path) -> dict[str, object]:
    """Run a document and say how it ended."""
    job, home = load(DOCUMENTS[name]), root / name
    if job.request.WarmStartConfig is not None:
        _parents(DOCUMENTS[name], root)
    began = time.perf_counter()
    line = ["tune", str(DOCUMENTS[name]), "--script", str(SCRIPT), "--out", str(home)]
    subprocess.run([*HPO, *line, "--root", str(root), "--quiet"], check=True)
    seconds, found, result = time.perf_counter() - began, standing(home), Result.read(home)
    ((run_name, run),) = result.runs.items()
    best = run.best()
    at_once = _most_at_once(result)
    return {
        "status": found.status,
        "reason": found.reason,
        "training_jobs": len(run.trials),
        "most_at_once": at_once,
        "best": None if best is None else best.value,
        "best_config": None if best is None else dict(best.config),
        "seed": run_name.seed,
        "seconds": round(seconds, 1),
        "holds": _holds(job, run, found.status, at_once),
    }


def _holds(job: TuningJob, run: Run, status: str, at_once: int) -> bool:
    """Whether it is Completed, by all its jobs or a criterion, with no more at once than slots."""
    is_whole = job.jobs == len(run.trials)
    has_criteria = job.config.TuningJobCompletionCriteria is not None
    has_failed = any(trial.status == "failed" for trial in run.trials)
    is_over = status == "Completed" and (is_whole or has_criteria)
    return is_over and at_once <= job.parallel and run.best() is not None and not has_failed


def _most_at_once(result: Result) -> int:
    """Return the most training jobs that had begun and not ended after any turn."""
    (own,) = result.histories.values()
    begun = [(turn, 1) for turn in own.begun]
    over = [(turn, -1) for turn, outcome in own.outcomes]
    most = now = 0
    for _, change in sorted([*begun, *over]):  # within a turn ends come first
        now += change
        most = max(most, now)
    return most


def _parents(path: Path, root: Path) -> None:
    document = json.loads(path.read_text())
    for parent in document.pop("WarmStartConfig")["ParentHyperParameterTuningJobs"]:
        own = {**document, **parent}
        place = root / f"{parent['HyperParameterTuningJobName']}.json"
        place.write_text(json.dumps(own))
        line = ["tune", str(place), "--script", str(SCRIPT), "--root", str(root), "--quiet"]
        subprocess.run([*HPO, *line], check=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the documents, print and record how they ended; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(DOCUMENTS))
    parser.add_argument("--no-record", action="store_true")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - DOCUMENTS.keys()):
        parser.error(f"{', '.join(unknown)}: no such document; there are {', '.join(DOCUMENTS)}")
    found = {}
    with tempfile.TemporaryDirectory(prefix="hpo-documents-") as root:
        for name in options.names or DOCUMENTS:
            found[name] = ended(name, Path(root))
            print(json.dumps({name: found[name]}, indent=2), flush=True)
            if not options.no_record:
                enter(RECORD, (name,), {**found[name], "made_with": made_with()})
    return 0 if all(one["holds"] for one in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

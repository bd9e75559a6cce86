"""What the README shows runs as it stands there."""

import dataclasses
import re
from pathlib import Path

import pytest

import hpo_research as hpo

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
def test_the_examples_of_the_readme_run_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "readme"}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), names)
        if isinstance(experiment := names.get("experiment"), hpo.Experiment):
            names["experiment"] = dataclasses.replace(
                experiment, problems=experiment.problems[:1], seeds=[0], budget=hpo.Budget(trials=3)
            )
    assert isinstance(names["result"], hpo.Result)
    assert len(names["result"].frame()) == 9
    best = names["best"]
    assert isinstance(best, hpo.Trial)
    assert best.value is not None and best.status == "finished"
    assert (tmp_path / "results" / "by-hand" / "store.sqlite").exists()

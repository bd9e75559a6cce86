"""A part of the campaign: hostile inputs to every public door."""

import subprocess
import sys


def test_hostile_inputs_are_refused_in_words_of_ours_or_work():
    # In a process of its own: in tests a wrong shape is told by the checker, before we can.
    command = [sys.executable, "-m", "tests.campaign.inputs", "--count", "2000", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "2000 hostile inputs: 0 raw tracebacks or hangs" in done.stdout

"""The campaign: what hostile inputs, damage and kills do, far more of it than the tests hold.

    python -m tests.campaign [inputs] [stores] [checkpoints] [kills] [laws] [botorch] [--seed 0]

Each part runs in a process of its own and prints what was tried and how it ended; the exit code
is 1 where anything ended as it must not.
"""

import argparse
import os
import subprocess
import sys
import time

LAWS = ("tests/laws/test_ambient_laws.py", "tests/laws/test_budget_laws.py")


def commands(seed: int) -> dict[str, list[str]]:
    """Return the command of each part."""
    run = [sys.executable, "-m"]
    return {
        "inputs": [*run, "tests.campaign.inputs", "--count", "100000", "--seed", str(seed)],
        "stores": [*run, "tests.campaign.stores", "--count", "700", "--seed", str(seed)],
        "checkpoints": [*run, "tests.campaign.checkpoints"],
        "kills": [*run, "tests.campaign.kills", "60", str(seed)],
        "laws": [*run, "pytest", "-q", *LAWS],
        "botorch": [*run, "tests.strategies.botorch_table", "--check"],
    }


def main() -> int:
    """Run the parts that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign")
    known = commands(0)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(known)}; or all")
    parser.add_argument("--seed", type=int, default=0, help="of inputs, damage and kills")
    options = parser.parse_args()
    if wrong := set(options.parts) - known.keys():
        parser.error(f"{', '.join(sorted(wrong))}: expected some of {', '.join(known)}")
    bad = []
    for part in options.parts or known:
        began = time.monotonic()
        print(f"--- {part}", flush=True)
        # Laws take all strategies and settings where this is set, not a few of each.
        done = subprocess.run(commands(options.seed)[part], env={**os.environ, "HPO_CAMPAIGN": "1"})
        bad += [part] if done.returncode else []
        print(f"--- {part}: {time.monotonic() - began:.0f} s", flush=True)
    print(f"ended as they must not: {', '.join(bad) or 'none'}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())

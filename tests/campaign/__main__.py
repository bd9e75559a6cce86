"""The campaign: what hostile inputs, damage and kills do, far more of it than the tests hold.

    python -m tests.campaign [inputs] [stores] [checkpoints] [kills] [--inputs 100000] [--seed 0]

Prints what was tried and how it ended; the exit code is 1 where anything ended as it must not.
"""

import argparse
import resource
import sys
import time

from tests.campaign import inputs

GIBIBYTES = 12


def hostile_inputs(count: int, seed: int) -> int:
    """Try hostile inputs at every public door; return how many ended as they must not."""
    table, faults = inputs.summary(count, seed)
    print(table)
    for fault in faults[:50]:
        print(f"fault {fault.number}: {fault.door}({fault.arguments})")
        print(f"    {fault.error} at {fault.where}")
    print(f"{count} hostile inputs: {len(faults)} raw tracebacks or hangs")
    return len(faults)


PARTS = ("inputs",)


def main() -> int:
    """Run the parts that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; or all")
    parser.add_argument("--inputs", type=int, default=100_000, help="how many hostile inputs")
    parser.add_argument("--seed", type=int, default=0, help="of the hostile inputs and the damage")
    options = parser.parse_args()
    if wrong := set(options.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(wrong))}: expected some of {', '.join(PARTS)}")
    # What asks for more memory than there is fails here, instead of taking the machine with it.
    resource.setrlimit(resource.RLIMIT_AS, (GIBIBYTES << 30, GIBIBYTES << 30))
    bad = 0
    for part in options.parts or PARTS:
        began = time.monotonic()
        print(f"--- {part}", flush=True)
        if part == "inputs":
            bad += hostile_inputs(options.inputs, options.seed)
        print(f"--- {part}: {time.monotonic() - began:.0f} s", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())

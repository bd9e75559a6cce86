"""What was measured on GPUs, as `RESULTS.md` has it."""

from pathlib import Path

from benchmarks.record import Json
from benchmarks.speed.measured import markdown

RECORD = Path(__file__).with_name("results.json")
COMMAND = "python -m benchmarks.gpu"
_HOLDS = {True: "holds", False: "does not hold", None: ""}


def text(found: Json) -> str:
    """Return the record as Markdown, a table a card."""
    if not found:
        return f"Nothing was measured on a GPU yet. With one, `{COMMAND}` does, in eight minutes."
    return "\n\n".join(_card(card, parts) for card, parts in found.items())


def _card(card: str, parts: Json) -> str:
    rows = [
        [part, row["what"], row["found"], _HOLDS[row["holds"]]]
        for part, entry in parts.items()
        for row in entry["measured"]
    ]
    made = [
        f"- {part}: {entry['state']}; {_made(entry['made_with'])}" for part, entry in parts.items()
    ]
    table = markdown(("part", "what", "found", "verdict"), rows)
    return "\n\n".join([f"`{COMMAND}` on {card}:", table, "\n".join(made)])


def _made(made: Json) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    machine = f"{made['cores']} cores of {made['cpu']}; Python {made['python']}, {versions}"
    return f"CUDA {made['cuda']}, driver {made['driver']}; {machine}; commit {made['commit'][:9]}"

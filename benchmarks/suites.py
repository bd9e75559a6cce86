"""Write `docs/suites.md` from the suites themselves: `python -m benchmarks.suites`."""

from pathlib import Path

from hpo_research.suites.card import page

PLACE = Path(__file__).parents[1] / "docs" / "suites.md"


def main() -> None:
    PLACE.write_text(page(), encoding="utf-8")
    print(f"wrote {PLACE.relative_to(PLACE.parents[1])}")


if __name__ == "__main__":
    main()

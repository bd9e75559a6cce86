"""Rows without digests, of a damaged store of schema 2: those that can stand in a store at all."""

from collections.abc import Callable, Mapping, Sequence

from hpo_research.store.damage import Damage, place_of
from hpo_research.store.digests import Row
from hpo_research.store.rows import ask_of, check_types, grant_of, outcome_of, report_of

# Where a table says which run and which turn its rows belong to.
_PLACES = {"report": (0, 3), "outcome": (0, 3), "ask": (1, 2)}
_MADE: Mapping[str, Callable[[Row], object]] = {
    "report": report_of,
    "outcome": outcome_of,
    "proposal": grant_of,
    "ask": lambda row: ask_of(row, ()),
}


def undigested(
    rows: Mapping[str, Sequence[Row]],
) -> tuple[dict[str, list[Row]], dict[int, int], list[Damage]]:
    """Return the rows that are of use, the turn in which each other run breaks off, and why."""
    sieve = _Sieve()
    whole = {table: [row for row in own if sieve.lets(table, row)] for table, own in rows.items()}
    known = {row[0]: row[1] for row in whole["turn"] if row[1] in ("poll", "ask")}
    turns = {
        **known,
        **{row[3]: "poll" for table in ("report", "outcome") for row in whole[table]},
        **{row[2]: "ask" for row in whole["ask"]},
    }
    for number in sorted(turns.keys() - known.keys()):
        sieve.damages.append(Damage("turn", f"id {number}", "the row is missing"))
    whole["turn"] = [(number, kind, b"") for number, kind in sorted(turns.items())]
    names = {row[1:4]: row for row in reversed(whole["run"])}
    whole["run"] = sorted(names.values())
    asks = {row[0]: row for row in whole["ask"]}
    for number in sieve.asks & asks.keys():
        sieve.cut("ask", asks[number])
    whole["proposal"] = [row for row in whole["proposal"] if row[0] in asks]
    return whole, sieve.cuts, sieve.damages


class _Sieve:
    """Lets rows through that are of use; `asks` are those that lack a proposal."""

    def __init__(self) -> None:
        self.damages: list[Damage] = []
        self.cuts: dict[int, int] = {}
        self.asks: set[int] = set()

    def lets(self, table: str, row: Row) -> bool:
        try:
            check_types(table, row)
            for value in row:
                if type(value) is str:
                    value.encode()  # a text that was not UTF-8 cannot be written again
            if table in _MADE:
                _MADE[table](row)
        except ValueError as error:
            self.damages.append(Damage(table, place_of(table, row), str(error)))
            if table == "proposal":
                self.asks.add(row[0])
            elif table in _PLACES:
                self.cut(table, row)
            return False
        return True

    def cut(self, table: str, row: Row) -> None:
        run, turn = (row[i] for i in _PLACES[table])
        if type(run) is int and type(turn) is int:
            self.cuts[run] = min(turn, self.cuts.get(run, turn))

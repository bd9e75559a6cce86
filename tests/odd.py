"""A problem whose states are of every kind, changed in place and never copied."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from doubles import Walk

from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Report, Segment

Give = Callable[[torch.Tensor], Any]

GIVE: dict[str, Give] = {
    "plain": lambda w: {"w": w},
    "tied": lambda w: {"w": w, "tied": w},
    "transposed": lambda w: {"w": w.T},
    "one row of many": lambda w: {"w": torch.stack([w, w, w])[1]},
    "every other column": lambda w: {"w": torch.stack([w, w], -1).flatten(1)[:, ::2]},
    "channels last": lambda w: {
        "w": w.reshape(1, 2, 3, 1).to(memory_format=torch.channels_last)[0, :, :, 0]
    },
    "a parameter": lambda w: {"w": torch.nn.Parameter(w)},
    "sparse": lambda w: {"w": w.to_sparse()},
    "compressed": lambda w: {"w": w.to_sparse_csr()},
    "an array": lambda w: {"w": w.numpy()},
    "nested": lambda w: OrderedDict(
        model={"layer.0": w}, optimizer={"state": {0: {"step": 1}}, "betas": (0.9, 0.99)}, w=w
    ),
    "numbered": lambda w: {0: None, 1: "name", "w": w, ("a", 2): torch.empty(0, 3)},
}
BAD: dict[str, tuple[Give, str]] = {
    "a module": (lambda w: {"w": w, "net": torch.nn.Linear(1, 1)}, r"state\['net'\] is a Linear; "),
    "a function inside": (lambda w: {"f": [{"g": len}]}, r"state\['f'\]\[0\]\['g'\] is a builtin"),
    "no dict": (lambda w: w, "expected a dict of names to tensors, got a Tensor"),
    "an exception": (lambda w: w.nothing, "asking for it raised AttributeError: .*'nothing'"),
}


@dataclass(frozen=True)
class Odd(Walk):
    """A walk of a 2 x 3 tensor, carried from epoch to epoch in a state of the given kind."""

    kind: str = "plain"
    fails_above: float = 2.0

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        live = {s.key: (s, self._carried(s), s.start) for s in segments}
        while live:
            reports = []
            for key, (segment, w, before) in live.items():
                epoch = before + 1
                step = segment.stream.at("step", epoch).uniform(6, like=w).reshape(2, 3)
                w.mul_(0.9).add_(step * float(segment.config["x"]))
                live[key] = (segment, w, epoch)
                # A product, whose last bits depend on how the tensor lies in memory.
                value = float((w @ w.T).sum())
                reports.append(
                    Report(*key, epoch, {"loss": value}, 1.0, state=lambda w=w: self._give(w))
                )
            dropped = yield reports
            for key in dropped or ():
                live.pop(key)
            live = {key: row for key, row in live.items() if row[2] < row[0].until}

    def _carried(self, segment: Segment) -> torch.Tensor:
        state = segment.state
        if state is None:
            assert segment.start == 0
            first = torch.ones(2, 3, dtype=torch.float64)
            # In the memory of a state, as all that comes after: it decides the last bits.
            state = self._give(first) if self.kind in GIVE else {"w": first}
        w = state["w"]
        if self.kind == "an array":
            return torch.from_numpy(w)
        if self.kind == "tied":
            before = w[0, 0].clone()
            w[0, 0] = 7
            assert state["tied"][0, 0] == 7
            w[0, 0] = before
        w = w.detach() if w.layout == torch.strided else w.to_dense()
        return w.T if self.kind == "transposed" else w

    def _give(self, w: torch.Tensor) -> Any:
        return GIVE[self.kind](w) if self.kind in GIVE else BAD[self.kind][0](w)

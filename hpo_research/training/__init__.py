"""Small networks trained as one batch: tensors only, no records, spaces or stores.

Networks of one signature (padded shape, batch size) are stacked and take their steps together. A
signature's convolutions go through one product or one by one, by its sizes.
Shapes, everywhere in this package: `b` stacked networks, `n` examples, `k` inputs of a layer, `w`
its outputs, `h` units of a hidden layer, `c` classes (padded to 16), `p` parameters of a network in
one flat row, `s` steps of an epoch.

The law: on the CPU with one thread, a network's numbers are the same, bit for bit, whatever it is
stacked with and wherever it was resumed. It holds because a signature depends on the network's own
configuration alone, and because a network's share of every elementwise tensor is a multiple of 32
floats: torch's vectorised kernels treat the tail of an array in scalar code, with other last bits,
so no network may reach into that tail. Reductions run within one network, over a fixed length.
"""

from hpo_research import moved
from hpo_research.training.architecture import Architecture
from hpo_research.training.batch import EpochResult, train
from hpo_research.training.cnn import CNN
from hpo_research.training.data import Data
from hpo_research.training.mlp import MLP
from hpo_research.training.recipe import Recipe, Task

__all__ = ["CNN", "MLP", "Architecture", "Data", "EpochResult", "Recipe", "Task", "train"]

moved.answer_for_old_names(__name__)

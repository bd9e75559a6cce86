"""A training script as SageMaker's script mode calls it: a small network on handwritten digits.

NumPy alone, so that it starts quickly. It takes the hyperparameters of many tuning jobs, those of
a network and those of boosted trees, of which it makes what comes nearest in a network:

    python train.py --learning_rate 0.01 --hidden_units 64 --epochs 10

After each epoch it prints val_loss, val_accuracy (val_acc), val_f1 (macro) and validation:rmse
(of the probabilities) on one line. On SIGTERM, and at its end, it saves its weights.
"""

import argparse
import gzip
import math
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

CLASSES, TRAINED, HELD_OUT = 10, 900, 450
TRUE = ("true", "True", "1", "yes")


def arguments() -> argparse.Namespace:
    """Read the hyperparameters; unknown ones are named and passed over."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--epochs", type=int, default=81)
    parser.add_argument("--learning_rate", "--eta", type=float, default=0.02)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--weight_decay", type=float, default=0.0)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--hidden_units", "--width", type=int, default=64)
    parser.add_argument("--activation", choices=("relu", "gelu", "silu"), default="relu")
    parser.add_argument("--optimizer", choices=("sgd", "adam", "adamw"), default="sgd")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--use_mixup", default="false")
    parser.add_argument("--scheduler", choices=("cosine", "step", "none"), default="none")
    parser.add_argument("--max_depth", type=int, help="hidden units, in eights")
    parser.add_argument("--max_bin", type=int, default=16, help="levels of a pixel")
    parser.add_argument("--subsample", type=float, default=1.0, help="rows of an epoch")
    parser.add_argument("--grow_policy", choices=("depthwise", "lossguide"), default="depthwise")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("HPO_SEED", 0)))
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    options, unknown = parser.parse_known_args()
    if unknown:
        print("passed over:", *unknown, file=sys.stderr)
    if options.max_depth is not None:
        options.hidden_units = 8 * options.max_depth
    return options


def digits(folder: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, n 64 in [0, 1], and labels of scikit-learn's digits, shuffled.

    From `digits.csv.gz` in a channel's folder, or else from scikit-learn, without importing it.
    """
    if folder is None:
        package = find_spec("sklearn")
        if package is None or not package.submodule_search_locations:
            sys.exit("train.py needs the file digits.csv.gz in --train, or scikit-learn")
        folder = str(Path(package.submodule_search_locations[0], "datasets", "data"))
    with gzip.open(Path(folder, "digits.csv.gz"), "rt") as file:
        table = np.array([line.split(",") for line in file], dtype=np.float32)
    order = np.random.default_rng(0).permutation(len(table))
    return table[order, :64] / 16, table[order, 64].astype(int)


class Network:
    """One hidden layer and softmax, with its gradients written out."""

    def __init__(self, options: argparse.Namespace, draws: np.random.Generator) -> None:
        self.options, self.draws = options, draws
        width = options.hidden_units
        shapes = (64, width), (width,), (width, CLASSES), (CLASSES,)
        self.weights = [
            (draws.standard_normal(shape) * math.sqrt(2 / shape[0])).astype(np.float32)
            if len(shape) == 2
            else np.zeros(shape, np.float32)
            for shape in shapes
        ]
        self.first = [np.zeros_like(w) for w in self.weights]
        self.second = [np.zeros_like(w) for w in self.weights]
        self.steps = 0

    def activated(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the activation and its slope."""
        if self.options.activation == "relu":
            return np.maximum(z, 0), (z > 0).astype(np.float32)
        scale = 1.0 if self.options.activation == "silu" else 1.702  # GELU by its usual sigmoid
        gate = 1 / (1 + np.exp(-np.clip(scale * z, -30, 30)))
        return z * gate, gate + scale * z * gate * (1 - gate)

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes. Shape: n 10."""
        w1, b1, w2, b2 = self.weights
        return softmax(self.activated(x @ w1 + b1)[0] @ w2 + b2)

    def train(self, x: np.ndarray, target: np.ndarray, rate: float) -> None:
        """Take one step on a batch; `target` holds probabilities."""
        w1, b1, w2, b2 = self.weights
        hidden, slope = self.activated(x @ w1 + b1)
        keep = 1 - self.options.dropout
        mask = (self.draws.random(hidden.shape) < keep).astype(np.float32) / keep
        hidden, slope = hidden * mask, slope * mask
        error = (softmax(hidden @ w2 + b2) - target) / len(x)
        back = (error @ w2.T) * slope
        self.step([x.T @ back, back.sum(0), hidden.T @ error, error.sum(0)], rate)

    def step(self, gradients: list[np.ndarray], rate: float) -> None:
        """Move the weights by SGD with momentum, Adam, or Adam with decoupled decay."""
        kind, decay, beta = self.options.optimizer, self.options.weight_decay, self.options.momentum
        self.steps += 1
        for i, gradient in enumerate(gradients):
            w = self.weights[i]
            if kind != "adamw":
                gradient = gradient + decay * w
            if kind == "sgd":
                self.first[i] = beta * self.first[i] + gradient
                self.weights[i] = w - rate * self.first[i]
                continue
            self.first[i] = beta * self.first[i] + (1 - beta) * gradient
            self.second[i] = 0.999 * self.second[i] + 0.001 * gradient**2
            mean = self.first[i] / (1 - beta**self.steps)
            deviation = np.sqrt(self.second[i] / (1 - 0.999**self.steps)) + 1e-8
            shrink = rate * decay if kind == "adamw" else 0.0
            self.weights[i] = w * (1 - shrink) - 0.1 * rate * mean / deviation


def softmax(z: np.ndarray) -> np.ndarray:
    """Return the softmax of each row."""
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def rate_at(options: argparse.Namespace, epoch: int) -> float:
    """Return the learning rate of an epoch."""
    if options.scheduler == "cosine":
        return options.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / options.epochs)) / 2
    if options.scheduler == "step":
        return options.learning_rate * 0.5 ** (3 * (epoch - 1) // options.epochs)
    return options.learning_rate


def measured(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the metrics of predictions."""
    right = np.eye(CLASSES)[labels]
    guess = probabilities.argmax(1)
    hits = np.bincount(labels[guess == labels], minlength=CLASSES)
    sizes = np.bincount(labels, minlength=CLASSES) + np.bincount(guess, minlength=CLASSES)
    accuracy = float((guess == labels).mean())
    return {
        "val_loss": float(-np.log(probabilities[range(len(labels)), labels] + 1e-9).mean()),
        "val_accuracy": accuracy,
        "val_acc": accuracy,
        "val_f1": float((2 * hits / np.maximum(sizes, 1)).mean()),
        "validation:rmse": float(np.sqrt(((probabilities - right) ** 2).mean())),
    }


def main() -> None:
    """Train, and say after each epoch how well."""
    options = arguments()
    draws = np.random.default_rng(options.seed)
    x, labels = digits(options.train)
    x = (np.round(x * options.max_bin) / options.max_bin).astype(np.float32)
    targets = np.eye(CLASSES, dtype=np.float32)[labels]
    train, held = slice(0, TRAINED), slice(TRAINED, TRAINED + HELD_OUT)
    network = Network(options, draws)

    def save(*_: object) -> None:
        if options.model_dir:
            parts = dict(zip(("w1", "b1", "w2", "b2"), network.weights, strict=True))
            np.savez(Path(options.model_dir, "weights.npz"), **parts)

    def stop(*_: object) -> None:
        save()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    for epoch in range(1, options.epochs + 1):
        share = None
        if options.grow_policy == "lossguide":  # rows that are predicted badly come more often
            share = 1e-3 + 1 - (network.probabilities(x[train]) * targets[train]).sum(1)
            share = share / share.sum()
        count = max(1, round(options.subsample * TRAINED))
        rows = draws.choice(TRAINED, count, replace=share is not None, p=share)
        for begin in range(0, count, options.batch_size):
            batch = rows[begin : begin + options.batch_size]
            inputs, wanted = x[batch], targets[batch]
            if options.use_mixup in TRUE:
                part = np.float32(draws.beta(0.2, 0.2))
                other = draws.permutation(len(batch))
                inputs = part * inputs + (1 - part) * inputs[other]
                wanted = part * wanted + (1 - part) * wanted[other]
            network.train(inputs, wanted, rate_at(options, epoch))
        metrics = measured(network.probabilities(x[held]), labels[held])
        print(f"epoch={epoch}", *(f"{name}={value:.6f}" for name, value in metrics.items()))
        sys.stdout.flush()
    save()


if __name__ == "__main__":
    main()

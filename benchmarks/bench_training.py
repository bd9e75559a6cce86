"""Training the small networks of an experiment: one batch, against plain PyTorch one by one.

The rival is what a user's objective in any other toolkit does: `nn.Sequential`, `torch.optim`, one
network after another, float32. Same configurations, data and batch sizes; an epoch includes its
validation. `make benchmark` prints both times and the ratio, which is the figure to quote.
"""

import platform
import time
from collections.abc import Callable

import pytest
import torch
from torch import nn

import hpo_research as hpo
from hpo_research.problems.digits import digits
from hpo_research.records import Segment
from hpo_research.rng import Stream
from hpo_research.threads import limited
from hpo_research.training import Data

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}
EPOCHS = 2


def segments(count: int) -> list[Segment]:
    """Uniform draws of `digits-mlp`, the first trials of a random search."""
    space = hpo.problem("digits-mlp").space
    draws = Stream(0).at("bench").generator().random((count, space.dimension))
    return [
        Segment(0, i, config, EPOCHS, Stream(0).at("trial", i))
        for i, config in enumerate(space.from_uniform(draws))
    ]


def batched(work: list[Segment]) -> None:
    """Ours: all networks as one batch."""
    for _ in hpo.problem("digits-mlp").evaluate(work, "cpu"):
        pass


def plain(work: list[Segment]) -> None:
    """The rival: one network after another."""
    data = digits()
    for segment in work:
        _train_one(segment.config, data)


def _train_one(config: dict, data: Data) -> None:
    width, activation = config["width"], ACTIVATIONS[config["activation"]]
    layers = [nn.Linear(64, width), activation(), nn.Dropout(config["dropout"])]
    layers += [nn.Linear(width, width), activation(), nn.Dropout(config["dropout"])]
    network = nn.Sequential(*layers, nn.Linear(width, 10))
    decay = {"lr": config["learning_rate"], "weight_decay": config["weight_decay"]}
    if config["optimizer"] == "sgd":
        optimizer = torch.optim.SGD(network.parameters(), momentum=config["momentum"], **decay)
    else:
        betas = (config["momentum"], 0.999)
        optimizer = torch.optim.AdamW(network.parameters(), betas=betas, **decay)
    images, labels = data.images, data.labels
    for _ in range(EPOCHS):
        network.train()
        for rows in torch.randperm(len(images)).split(config["batch_size"]):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            scores = network(data.validation_images)
            nn.functional.cross_entropy(scores, data.validation_labels)


def seconds(call: Callable[[], None]) -> float:
    """The best of three, after one to warm up."""
    call()
    times = []
    for _ in range(3):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


@pytest.mark.parametrize("count", [8, 30, 120])
def bench_networks_as_one_batch(benchmark, count: int) -> None:
    """Prints the ratio of the rival's time to ours."""
    work = segments(count)
    with limited():
        rival = seconds(lambda: plain(work))
        ours = seconds(lambda: batched(work))
        benchmark.pedantic(batched, args=(work,), rounds=3)
    benchmark.extra_info.update(
        networks=count,
        epochs=EPOCHS,
        device="cpu, one thread",
        hardware=platform.processor() or platform.machine(),
        torch=torch.__version__,
        rival_seconds=rival,
        ratio=rival / ours,
    )
    print(
        f"\n{count} networks × {EPOCHS} epochs: plain PyTorch {rival:.2f} s, "
        f"one batch {ours:.2f} s, ratio {rival / ours:.1f}"
    )

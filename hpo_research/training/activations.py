"""Activation functions of stacked networks, which may differ from network to network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor


@dataclass(frozen=True)
class Activation:
    """A function of z, elementwise with f(0) = 0, and its backward pass (dh, z) -> dz."""

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


def _relu_backward(dh: Tensor, z: Tensor) -> Tensor:
    dz: Tensor = torch.ops.aten.threshold_backward(dh, z, 0)
    return dz


def _gelu_backward(dh: Tensor, z: Tensor) -> Tensor:
    dz: Tensor = torch.ops.aten.gelu_backward(dh, z)
    return dz


def _silu_backward(dh: Tensor, z: Tensor) -> Tensor:
    dz: Tensor = torch.ops.aten.silu_backward(dh, z)
    return dz


ACTIVATIONS = {
    "relu": Activation(torch.relu, _relu_backward),
    "gelu": Activation(torch.nn.functional.gelu, _gelu_backward),
    "silu": Activation(torch.nn.functional.silu, _silu_backward),
}

Rules = Sequence[tuple[slice, Activation]]
"""Which networks of a stack use which activation."""


def activate(
    z: Float32[Tensor, "b n h"], rules: Rules, mask: Float32[Tensor, "b n h"] | None = None
) -> Float32[Tensor, "b n h"]:
    """Apply each network's activation, then its dropout mask if there is one."""
    if len(rules) == 1:
        h = rules[0][1].forward(z)
        return h if mask is None else h.mul_(mask)
    h = torch.empty_like(z)
    for rows, activation in rules:
        if mask is None:
            h[rows] = activation.forward(z[rows])
        else:
            torch.mul(activation.forward(z[rows]), mask[rows], out=h[rows])
    return h


def activate_backward(
    dh: Float32[Tensor, "b n h"],
    z: Float32[Tensor, "b n h"],
    rules: Rules,
    mask: Float32[Tensor, "b n h"] | None = None,
) -> Float32[Tensor, "b n h"]:
    """Carry the loss gradient from the output of `activate` back to z."""
    if len(rules) == 1:
        dz = rules[0][1].backward(dh, z)
        return dz if mask is None else dz.mul_(mask)
    dz = torch.empty_like(z)
    for rows, activation in rules:
        if mask is None:
            dz[rows] = activation.backward(dh[rows], z[rows])
        else:
            torch.mul(activation.backward(dh[rows], z[rows]), mask[rows], out=dz[rows])
    return dz

"""Learning rates over the horizon of a task, step by step."""

from math import cos, pi

from hpo_research.training.recipe import Task

_FALL = 0.1  # of a step schedule, at a half and at three quarters


def learning_rates(task: Task, done: int, steps: int) -> list[float]:
    """Return the rates of the `steps` steps of an epoch, of a network that has done so many steps.

    A warm-up of w steps rises from 1/(w + 1) of the rate, as `torch.optim.lr_scheduler.LinearLR`.
    What remains is constant, `CosineAnnealingLR` down to 0, or `MultiStepLR`.
    """
    rate, name = task.recipe.learning_rate, task.recipe.schedule
    if task.horizon is None:
        return [rate] * steps
    total = task.horizon * steps
    warmup = round(task.recipe.warmup * total)
    return [rate * _factor(name, done + step, warmup, total) for step in range(steps)]


def _factor(name: str, step: int, warmup: int, total: int) -> float:
    if step < warmup:
        return (step + 1) / (warmup + 1)
    step, total = step - warmup, total - warmup
    if name == "cosine":
        return (1 + cos(pi * step / total)) / 2
    if name == "step":
        return _FALL ** ((step >= total // 2) + (step >= 3 * total // 4))
    return 1.0

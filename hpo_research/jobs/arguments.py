"""What a program is handed: arguments, environment, files, as SageMaker's script mode hands them.

Every hyperparameter, searched or static, is an argument, `--name value`, in the order of names;
those of the tuner (`_tuning_objective_metric`, `sagemaker_...`) are none, but stand in the file
with the others. A command that names hyperparameters in braces, `{lr}`, is a template: it is
filled in, and nothing is added to it.

In `script_mode` texts are read as SageMaker's training toolkit reads them, which undoes what the
SDKs do to values: what is JSON is decoded, so that `"adam"` in quotes becomes adam and true
becomes True, and a name of one letter has one dash.
"""

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo_research.space import Config

PYTHON = "python"
OBJECTIVE = "_tuning_objective_metric"
TUNER = "sagemaker_"
_BRACES = re.compile(r"\{([^{}]+)\}")
Values = Mapping[str, Any]


def is_argument(name: str) -> bool:
    """Whether a hyperparameter is one of the program's, and not of the tuner or an SDK."""
    return name != OBJECTIVE and not name.startswith(TUNER)


def portable(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command whose program is `python` if it is the Python that runs this, by any name.

    The same experiment may be gone on with from another checkout, or through `python3`.
    """
    program = Path(command[0])
    ours = Path(sys.executable)
    is_ours = re.fullmatch(r"python[\d.]*", program.name) is not None and (
        program.parent.resolve() == ours.parent.resolve() and program.is_absolute()
    )
    return (PYTHON if is_ours else command[0], *command[1:])


def names_in(command: Sequence[str]) -> list[str]:
    """Return what stands in braces in a command."""
    return [name for part in command for name in _BRACES.findall(part)]


def hyperparameters(config: Config, statics: Mapping[str, str]) -> dict[str, Any]:
    """Return the hyperparameters of a job by name: what is searched wins over what is static."""
    return {**statics, **config}


def decoded(values: Values) -> dict[str, Any]:
    """Return values, of texts that are JSON what they say."""
    return {name: _decoded(value) for name, value in values.items()}


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def texts(values: Values) -> dict[str, str]:
    """Return values as the service writes them: all of them strings."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }


def command_of(given: Sequence[str], values: Values, *, script_mode: bool) -> tuple[str, ...]:
    """Return a command with the values that it is called with; its `python` is this one."""
    command = (sys.executable if given[0] == PYTHON else given[0], *given[1:])
    own = {name: _argument(value) for name, value in values.items() if is_argument(name)}
    if any(name in own for name in names_in(command)):
        return tuple(_BRACES.sub(lambda m: own.get(m[1], m[0]), part) for part in command)
    return (*command, *arguments(values, script_mode=script_mode))


def arguments(values: Values, *, script_mode: bool) -> tuple[str, ...]:
    """Return `--name value` for each hyperparameter, in the order of names."""
    own = sorted(name for name in values if is_argument(name))
    dashes = {name: "-" if script_mode and len(name) == 1 else "--" for name in own}
    pairs = ((dashes[name] + name, _argument(values[name])) for name in own)
    return tuple(text for pair in pairs for text in pair)


def _argument(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return str(value)


def environment_of(
    values: Values,
    folder: Path,
    *,
    channels: Mapping[str, str],
    script_mode: bool,
    processors: int,
    gpus: int,
) -> dict[str, str]:
    """Return the variables of a job: those of script mode, and output that is not held back."""
    own = {name: value for name, value in values.items() if is_argument(name)}
    variables = {
        "PYTHONUNBUFFERED": "1",
        "SM_MODEL_DIR": str(folder / "model"),
        "SM_OUTPUT_DIR": str(folder / "output"),
        "SM_OUTPUT_DATA_DIR": str(folder / "output" / "data"),
        "SM_INPUT_DIR": str(folder / "input"),
        "SM_INPUT_CONFIG_DIR": str(folder / "input" / "config"),
        "SM_CURRENT_HOST": "algo-1",
        "SM_HOSTS": '["algo-1"]',
        "SM_NUM_CPUS": str(processors),
        "SM_NUM_GPUS": str(gpus),
        "SM_CHANNELS": _json(sorted(channels)),
        "SM_HPS": _json(own),
        "SM_USER_ARGS": _json(arguments(values, script_mode=script_mode)),
    }
    variables |= {f"SM_CHANNEL_{name.upper()}": place for name, place in channels.items()}
    hps = {f"SM_HP_{name.upper()}": value for name, value in own.items()}
    variables |= {name: _variable(value) for name, value in hps.items() if "=" not in name}
    return variables


def _variable(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def prepare(folder: Path, hyperparameters: Mapping[str, str]) -> Path:
    """Make a job's folder and return the place of its log.

    What an earlier attempt has left there goes, but for its log: that becomes `output.1.log`, and
    so on.
    """
    shutil.rmtree(folder / "model", ignore_errors=True)
    shutil.rmtree(folder / "output", ignore_errors=True)
    for part in ("model", "output/data", "input/config"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    file = folder / "input" / "config" / "hyperparameters.json"
    text = json.dumps(dict(hyperparameters), indent=1, ensure_ascii=False)
    # Half a character, which is no UTF-8, becomes what JSON writes for it.
    file.write_text(text, "utf-8", errors="backslashreplace")
    log = folder / "output.log"
    if log.exists():
        number = 1
        while (older := folder / f"output.{number}.log").exists():
            number += 1
        log.rename(older)
    log.touch()
    return log

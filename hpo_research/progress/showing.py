"""Whether and where progress is shown; what draws it is loaded when it is."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from hpo_research import progress
from hpo_research.errors import ExperimentError
from hpo_research.progress.standing import Progress
from hpo_research.text import is_one_of, quoted

Watch = Callable[[Progress], None]
Showing = Literal["auto"] | bool | Watch
"""`"auto"`: bars at a terminal, a line in a notebook, else nothing; True: lines where there is
neither; False: nothing; or a function of the progress, called a few times a second."""


def asked_for(door: str, showing: object, watch: object = None) -> Showing:
    """Return what a door was asked to show; `watch` is the former name of a function for it.

    Raises `ExperimentError` for anything else.
    """
    if watch is not None:
        warnings.warn(
            f"{door}(watch=...) is {door}(progress=...)", DeprecationWarning, stacklevel=4
        )
        showing = watch
    is_said = showing is True or showing is False or is_one_of(showing, ("auto",))
    if is_said or callable(showing):
        return showing  # type: ignore[return-value]
    raise ExperimentError(
        f"{door}: progress must be 'auto', True, False or a function of the progress, got "
        f"{quoted(showing)}"
    )


@contextmanager
def shown(showing: Showing) -> Iterator[Watch | None]:
    """Give what is to be called after every turn of the loop, None for nothing."""
    if callable(showing):
        yield showing
    elif showing is False:
        yield None
    elif _is_notebook():
        yield progress.display.notebook()
    elif sys.stderr.isatty():
        with progress.display.bars() as watch:
            yield watch
    else:
        yield progress.display.lines() if showing is True else None


def _is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    return shell is not None and hasattr(shell.get_ipython(), "kernel")

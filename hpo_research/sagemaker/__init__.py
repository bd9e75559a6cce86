"""Tuning jobs of Amazon SageMaker: their documents, loaded and held against the service's rules.

`load` takes a `HyperParameterTuningJobConfig`, a `CreateHyperParameterTuningJob` request, or the
pair of files that the command line of AWS takes, and returns a `TuningJob`: what is searched, how
and until when, in the words of this package. Names are loaded when they are first used. It needs
pydantic: `pip install 'hpo_research[service]'`.
"""

from importlib.util import find_spec

import lazy_loader

from hpo_research.errors import MissingPackageError

if find_spec("pydantic") is None:
    raise MissingPackageError(
        "hpo_research.sagemaker needs pydantic; pip install 'hpo_research[service]'"
    )

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

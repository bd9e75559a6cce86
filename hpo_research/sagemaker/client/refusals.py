"""What is refused in the service's name: botocore raises it with the same code."""

from typing import Literal

from hpo_research.errors import HpoError

Code = Literal[
    "ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound", "ValidationException", "404"
]


class Refusal(HpoError):
    """A request that is refused: the code of the service's error, and why."""

    def __init__(self, code: Code, why: str) -> None:
        self.args = (why,)
        self.code = code

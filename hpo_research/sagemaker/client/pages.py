"""Pages of a list: the service's order, and a token that says where the next page begins.

A token holds the key of the last row that was given and a digest of that with the request, so it
needs no memory, and pages neither repeat nor lose a row where rows come in between. One that was
changed, or is sent with another request, is refused.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hpo_research.sagemaker.client.refusals import Refusal

DEFAULT = 10
Key = tuple[str | float, ...]
"""What rows are sorted by, its last part a name that no other row has."""

_SECRET = b"hpo_research.sagemaker.client.pages"  # a seal against mistakes, not against malice


class Keyed(NamedTuple):
    """A row's key, and what it is made from."""

    key: Key
    row: Any


def page(rows: Sequence[Keyed], request: Mapping[str, Any]) -> tuple[list[Any], dict[str, str]]:
    """Return the rows of the page that a request asks for, and the field that names the next.

    `request` holds `SortOrder`, `MaxResults` and `NextToken` beside the filters, which `rows` have
    passed. Raises `Refusal` for a token that is not of this request.
    """
    is_descending = request.get("SortOrder") == "Descending"
    rows = sorted(rows, key=lambda one: one.key, reverse=is_descending)
    if token := request.get("NextToken"):
        after = _after(token, request)
        try:
            rows = [r for r in rows if (r.key < after if is_descending else r.key > after)]
        except TypeError as error:
            raise _refused() from error
    most = request.get("MaxResults", DEFAULT)
    more = {"NextToken": _token(rows[most - 1].key, request)} if len(rows) > most else {}
    return [one.row for one in rows[:most]], more


def _token(key: Key, request: Mapping[str, Any]) -> str:
    text = json.dumps([list(key), _seal(list(key), request)])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _after(token: str, request: Mapping[str, Any]) -> Key:
    try:
        key, seal = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise _refused() from error
    if not isinstance(key, list) or seal != _seal(key, request):
        raise _refused()
    return tuple(key)


def _seal(key: list[Any], request: Mapping[str, Any]) -> str:
    filters = {k: v for k, v in request.items() if k not in ("NextToken", "MaxResults")}
    text = json.dumps([key, filters], sort_keys=True)
    return hashlib.blake2b(text.encode(), key=_SECRET, digest_size=12).hexdigest()


def _refused() -> Refusal:
    rule = "NextToken: is not one that this request was answered with; begin without it"
    return Refusal("ValidationException", rule)

"""A replay that a person orders: first a plan, which changes nothing, then a job, which quotes it.

The plan names its filter and a digest of exactly the dead letters that the filter gave. Nothing is stored for it: who
executes it has the filter applied again, and when the dead letters are no longer the same the plan is refused.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

__all__ = ["ReplayPlan"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayPlan:
    """What a replay would publish again.

    Attributes:
        filter: Parts of the filter by name, as JSON values; `limit` among them.
        digest: Digest of the filter and the ids of the dead letters, in hexadecimal.
    """

    filter: Mapping[str, Any]
    digest: str

    @classmethod
    def of(cls, wanted: Mapping[str, Any], ids: Iterable[UUID]) -> Self:
        """Return the plan for these dead letters; their order does not matter."""
        content = json.dumps([wanted, sorted(map(str, ids))], sort_keys=True)
        return cls(filter=wanted, digest=hashlib.sha256(content.encode()).hexdigest())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the plan that was quoted; `ValueError` when it is none."""
        encoded, _, digest = text.partition(".")
        try:
            wanted = json.loads(base64.urlsafe_b64decode(encoded))
        except (binascii.Error, UnicodeDecodeError, RecursionError) as exc:
            raise ValueError("not a plan") from exc
        if not isinstance(wanted, dict):
            raise ValueError("not a plan")  # noqa: TRY004 - the text is malformed, whatever is inside
        return cls(filter=wanted, digest=digest)

    def __str__(self) -> str:
        encoded = base64.urlsafe_b64encode(json.dumps(self.filter, sort_keys=True).encode()).decode()
        return f"{encoded}.{self.digest}"

"""Events that are, or nearly are, signals.

Left out is what no JSON Schema can tell: limits in bytes, days that do not exist, base64 that holds no JSON, 1.0 as an
integer. So texts are short enough that characters of four bytes keep within 256 bytes.
"""

from datetime import datetime
from typing import Any, Final

from hypothesis import strategies as st

from signal_pipeline.domain.signals import PLAIN_RECORD_TYPE

__all__ = ["SMALLEST", "TOO_LONG", "candidates"]

SMALLEST: Final[dict[str, Any]] = {"specversion": "1.0", "id": "1", "source": "web", "type": "login"}
TOO_LONG: Final = "x" * 257

_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=64)
_moments = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))  # noqa: DTZ001 - the text has one
_times = st.one_of(
    _moments.map(lambda moment: f"{moment.isoformat()}Z"),
    st.sampled_from(
        [
            "2026-01-01t23:59:59.123456789z",
            "2026-01-01 00:00:00+23:59",
            "2026-01-01T00:00:00",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:01Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00Z\n",
            "0000-01-01T00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "\u0662\u0660\u0662\u0666-01-01T00:00:00Z",
            "now",
        ]
    ),
)
_scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**33), 2**33), st.just(0.5), _texts)
_values = st.recursive(
    _scalars,
    lambda each: st.one_of(st.lists(each, max_size=2), st.dictionaries(_texts, each, max_size=2)),
    max_leaves=6,
)
_attributes = st.one_of(_texts, st.sampled_from([None, "", TOO_LONG, 7, "a\nb", "a\n", "\x9f"]))
_payloads = st.one_of(
    _values, st.fixed_dictionaries({"session_id": st.one_of(_texts, st.sampled_from([TOO_LONG, None, 7]))})
)
_media_types = st.sampled_from(
    [
        None,
        "application/json",
        " TEXT/JSON ;charset=utf-8",
        "a/b+json",
        "a/b+JSON; x",
        "a/b;+json",
        "text/plain",
        "json",
    ]
)
_base64 = st.sampled_from([None, "", "MQ==", "MQ=", "MQ==\n", "M*==", 7])
_members: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("id", "source", "type", "subject", "dataschema"), _attributes),
    "specversion": st.sampled_from(["1.0", "0.3", 1, None]),
    "userid": st.one_of(_attributes, st.booleans()),
    "partitionkey": _scalars,
    "time": st.one_of(st.none(), _times),
    "datacontenttype": _media_types,
    "data": _payloads,
    "data_base64": _base64,
}
_ids = st.one_of(_texts, st.sampled_from([None, 0, False, 7]))
_record = st.fixed_dictionaries(
    {"source": st.one_of(_texts, st.just(TOO_LONG)), "type": st.one_of(_texts, st.just("login"))},
    optional={
        "id": _ids,
        "event_id": _ids,
        "user_id": st.one_of(_texts, st.sampled_from([None, 7, TOO_LONG])),
        "event_ts": st.one_of(_times, st.sampled_from([None, 7])),
        "timestamp": st.one_of(_times, st.sampled_from([None, 7])),
        "payload": _payloads,
        "session_id": st.just(TOO_LONG),
        "specversion": st.just("1.0"),
    },
)
_extensions = st.dictionaries(
    st.one_of(st.from_regex("[a-z0-9]{1,66}", fullmatch=True), _texts, st.just("a\n")), _scalars, max_size=2
)
_wrapped = st.fixed_dictionaries(
    {"data": st.one_of(_values, _record)}, optional={"time": _times, "datacontenttype": _media_types}
)

candidates: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda some: {**SMALLEST, **some}, st.fixed_dictionaries({}, optional=_members)),
    st.builds(lambda some: {**some, **SMALLEST}, _extensions),
    st.builds(lambda some: {**SMALLEST, "type": PLAIN_RECORD_TYPE, **some}, _wrapped),
    st.builds(
        lambda missing: {name: text for name, text in SMALLEST.items() if name != missing}, st.sampled_from([*SMALLEST])
    ),
)

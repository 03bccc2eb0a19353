"""The comparison of answers with an OpenAPI document finds what does not fit."""

import json

import pytest

from tests.support.http import Answer
from tests.support.openapi import Contract

_THING = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id"],
    "properties": {"id": {"type": "string", "format": "uuid"}},
}
_DOCUMENT = {
    "paths": {
        "/": {
            "get": {
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                    "204": {},
                }
            }
        }
    },
    "components": {"schemas": {"Thing": _THING}},
}


def answer(status: int, body: bytes) -> Answer:
    """Return an answer in JSON."""
    return Answer(status=status, headers={"content-type": "application/json"}, body=body)


def test_an_answer_as_documented_passes() -> None:
    """What fits passes, and is seen."""
    contract = Contract(_DOCUMENT)
    body = json.dumps({"id": "7d444840-9dc0-11d1-b245-5ffdce74fad2"}).encode()
    contract.check("GET", "/", answer(200, body))
    assert contract.unseen("GET", "/") == {"204"}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b"", "answered 404"),
        (204, b"x", "204 has a body"),
        (200, b"[]", "200: .* is not of type 'object'"),
        (200, b"{}", "'id' is a required property"),
        (200, b'{"id": 1}', r"200\.id: 1 is not of type 'string'"),
        (200, b'{"id": "x"}', "'x' is not a 'uuid'"),
        (200, b'{"id": "7d444840-9dc0-11d1-b245-5ffdce74fad2", "a": 1}', "'a' was unexpected"),
    ],
)
def test_an_answer_that_is_not_documented_fails(status: int, body: bytes, said: str) -> None:
    """An unknown status, and content of another shape, are told with their place."""
    with pytest.raises(AssertionError, match=said):
        Contract(_DOCUMENT).check("GET", "/", answer(status, body))

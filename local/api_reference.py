"""The contracts as pages to read: docs/api, made from the OpenAPI documents, the AsyncAPI document and the schemas.

What every role answers, and what several documents share, stands once, on `service.md`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from local.schema_text import Links, member_table, schema_text
from signal_pipeline.serving.contracts import SCHEMAS, asyncapi_document, schema_document
from signal_pipeline.serving.openapi import openapi_document
from signal_pipeline.topology import ROLES

__all__ = ["api_pages"]

Json = dict[str, Any]
_SCHEMAS: Final = "#/components/schemas/"
_MADE: Final = "<!-- Made by `python -m local generate`; change the documents that it is made from. -->\n"


def api_pages() -> dict[str, str]:
    """Return name and text of every page."""
    documents = {role.name: _document(role.name) for role in ROLES}
    shared = _in_all([each["paths"] for each in documents.values()])
    schemas = _in_all([each["components"]["schemas"] for each in documents.values()])
    pages = {f"{name}.md": _role_page(document, shared, schemas) for name, document in documents.items()}
    service = {**next(iter(documents.values())), "paths": shared}
    pages["service.md"] = _join(_service_parts(service, schemas))
    pages["topics.md"] = _join(_topic_parts(orjson.loads(asyncapi_document())))
    return pages


def _document(role: str) -> Json:
    document: Json = orjson.loads(openapi_document(role))
    return document


def _in_all(found: list[Json]) -> Json:
    """Return the members that all have, with the same content."""
    first, *others = found
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}


def _join(parts: Iterator[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


# --- HTTP ------------------------------------------------------------------------------------------------------------


def _role_page(document: Json, shared: Json, schemas: Json) -> str:
    return _join(_role_parts(document, {path for path in document["paths"] if path not in shared}, schemas))


def _role_parts(document: Json, own: set[str], shared: Json) -> Iterator[str]:
    links = _links(shared, elsewhere="service.md")
    info = document["info"]
    yield f"{_MADE}\n# {info['title']}"
    yield info["summary"]
    yield info["description"]
    yield "Served at `GET /openapi.json` of this role. What every role answers stands in [service.md](service.md)."
    yield from _operations(document, own, links)
    yield from _schema_parts({k: v for k, v in document["components"]["schemas"].items() if k not in shared}, links)


def _service_parts(document: Json, shared: Json) -> Iterator[str]:
    links = _links(shared, elsewhere="")
    yield f"{_MADE}\n# Every role"
    yield "What every role answers, and the shapes that the pages of the roles refer to."
    yield from _operations(document, set(document["paths"]), links)
    yield from _schema_parts(shared, links)


def _links(shared: Json, elsewhere: str) -> Links:
    def link(reference: str) -> str:
        name = reference.rpartition("/")[2]
        return f"[{name}]({elsewhere if name in shared else ''}#{name.lower()})"

    return link


def _schema_parts(schemas: Json, links: Links) -> Iterator[str]:
    if schemas:
        yield "## Shapes"
    for name, schema in sorted(schemas.items()):
        yield f"### {name}"
        yield schema.get("description", "")
        yield member_table(schema, links) or f"{schema_text(schema, links)}."


def _operations(document: Json, paths: set[str], links: Links) -> Iterator[str]:
    done: dict[str, list[str]] = {}
    for path in (each for each in document["paths"] if each in paths):
        for method, operation in document["paths"][path].items():
            text = _join(_operation(document, operation, links))
            done.setdefault(f"{text}\0{method}", []).append(path)
    for key, addresses in done.items():
        text, _, method = key.partition("\0")
        yield "## " + ", ".join(f"{method.upper()} {path}" for path in sorted(addresses))
        yield text


def _operation(document: Json, operation: Json, links: Links) -> Iterator[str]:
    yield operation["summary"] + "."
    yield operation.get("description", "")
    yield _needed(operation.get("security", []))
    if operation.get("parameters"):
        rows = [
            (f"`{each['name']}`", each["in"], schema_text(each["schema"], links), each.get("description", ""))
            for each in operation["parameters"]
        ]
        yield _table(("parameter", "in", "is", "meaning"), rows)
    if "requestBody" in operation:
        body = _resolved(document, operation["requestBody"])
        yield f"Body: {body.get('description', 'required' if body.get('required') else 'optional')}"
        yield _table(
            ("content", "is"), [(f"`{kind}`", _content(each, links)) for kind, each in body["content"].items()]
        )
    yield _table(("answer", "meaning", "content"), _answers(document, operation["responses"], links))


def _content(content: Json, links: Links) -> str:
    return schema_text(content["schema"], links)


def _answers(document: Json, responses: Json, links: Links) -> list[tuple[str, ...]]:
    """Return a row for each different answer, with all statuses that have it."""
    rows: dict[tuple[str, str], list[str]] = {}
    for status, response in responses.items():
        found = _resolved(document, response)
        content = (f"`{kind}`: {_content(each, links)}" for kind, each in found.get("content", {}).items())
        rows.setdefault((found["description"], ", ".join(content)), []).append(status)
    return [(", ".join(statuses).replace("default", "any other"), *row) for row, statuses in rows.items()]


def _needed(security: list[Mapping[str, list[str]]]) -> str:
    names = {"apiKey": "the header `X-API-Key`", "bearer": "an access token"}
    ways = [
        " and ".join(
            names[name] + (f" with the scope `{' '.join(scopes)}`" if scopes else "") for name, scopes in each.items()
        )
        for each in security
        if each
    ]
    return f"Needs {', or '.join(ways)}." if ways and {} not in security else ""


def _resolved(document: Json, part: Json) -> Json:
    if "$ref" not in part:
        return part
    found = document
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def _table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [names, tuple("---" for _ in names), *rows]
    return "\n".join("| " + " | ".join(" ".join(cell.split()) for cell in line) + " |" for line in lines)


# --- topics ----------------------------------------------------------------------------------------------------------


def _topic_parts(document: Json) -> Iterator[str]:
    yield f"{_MADE}\n# Topics"
    yield document["info"]["description"]
    yield "Served at `GET /asyncapi.json` of emit, the schemas at `GET /schemas/<name>.json`."
    for channel in document["channels"].values():
        yield from _channel(document, channel)
    yield "## Messages"
    for message in document["components"]["messages"].values():
        yield from _message(document, message)
    yield "## Schemas"
    for name in SCHEMAS:
        schema = orjson.loads(schema_document(name))
        yield f"### {schema['title']}"
        yield f"{schema['description']} The whole: [`{name}.schema.json`](../schemas/{name}.schema.json)."


def _channel(document: Json, channel: Json) -> Iterator[str]:
    kafka = channel["bindings"]["kafka"]
    settings = ", ".join(f"{name} {value}" for name, value in kafka["topicConfiguration"].items())
    yield f"## {channel['address']}"
    yield channel["description"]
    yield f"Partitions: {kafka['partitions']}; {settings}."
    messages = (_resolved(document, each)["title"] for each in channel["messages"].values())
    yield "Carries: " + ", ".join(f"[{title}](#{title.lower().replace(' ', '-')})" for title in messages) + "."
    mine = [each for each in document["operations"].values() if _resolved(document, each["channel"]) is channel]
    yield _table(
        ("who", "consumer group"),
        [
            (each["summary"], each.get("bindings", {}).get("kafka", {}).get("groupId", {}).get("const", ""))
            for each in mine
        ],
    )


def _message(document: Json, message: Json) -> Iterator[str]:
    links = _within(document)
    yield f"### {message['title']}"
    yield f"{message['summary']} Content type: `{message['contentType']}`."
    yield message.get("description", "")
    key = message.get("bindings", {}).get("kafka", {}).get("key", {})
    yield f"Key: {key['description']}" if key else ""
    headers = _resolved(document, message.get("headers", {}))
    yield member_table(headers, links)
    payload = _resolved(document, message["payload"])
    yield f"Value: {payload.get('title') or payload['description'].rstrip('.')}."
    yield member_table(payload, links)


def _within(document: Json) -> Links:
    """Return a link that spells a short shape out."""

    def link(reference: str) -> str:
        found = _resolved(document, {"$ref": reference})
        return schema_text(found, link) if "title" not in found else found["title"]

    return link

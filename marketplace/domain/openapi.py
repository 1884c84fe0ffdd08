"""An OpenAPI 3 document of a provider, reduced to what buyers may see, and what it describes.

What is kept is written anew from what is known: paths, operations, schemas and examples. Left out
are servers and security (the gate's take their place), callbacks, webhooks, links and every
extension: none of them is true of the API behind the gate, and extensions are orders to somebody's
renderer. References lead inside the document or the document is refused: nothing of it is ever
fetched.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from marketplace.domain.structured import Json, Malformed

JsonObject: TypeAlias = dict[str, Json]

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
OPERATIONS_MAX = 500
PARAMETERS_MAX = 60
PATH_LENGTH_MAX = 200
LINE_LENGTH_MAX = 140
TEXT_LENGTH_MAX = 20_000
REFERENCES_MAX = 10  # One after the other, until something that is no reference.
SERVERS_MAX = 5

KEPT_COMPONENTS = ("schemas", "parameters", "requestBodies", "responses", "headers", "examples")
PLACES = ("path", "query", "header")  # Cookies are the gate's own.
# What says who calls and who pays is ours to send, and what is of one hop is nobody's.
NOT_PARAMETERS = frozenset(
    {"accept", "apicharge", "authorization", "connection", "content-length", "content-type"}
    | {"cookie", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
_VERSION = re.compile(r"3\.[01]\.[0-9]+")
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/{}]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TEMPLATE = re.compile(r"\{([^{}/]{1,64})\}")


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str
    """path, query or header."""
    required: bool
    description: str
    schema: JsonObject
    example: Json = None


@dataclass(frozen=True, slots=True)
class Body:
    content_type: str
    required: bool
    schema: JsonObject
    example: Json = None


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    """In capitals."""
    path: str
    summary: str
    description: str
    tag: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    streams: bool
    """Whether an answer may be a stream of events."""
    deprecated: bool = False

    @property
    def key(self) -> str:
        """Its name within the document."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    version: str
    body: JsonObject
    """OpenAPI again, of what is kept."""
    operations: tuple[Operation, ...]
    servers: tuple[str, ...] = ()
    """Where the provider says that the API runs; not for buyers."""


def document(value: Json) -> Document:
    """Validate what `structured.read` answered. Malformed: for its provider to read."""
    root = _mapping(value, "The document")
    if "swagger" in root:
        raise Malformed("This is Swagger 2.0: convert it to OpenAPI 3 first.")
    if _VERSION.fullmatch(str(root.get("openapi", ""))) is None:
        raise Malformed('The document does not begin with "openapi": "3.0.x" or "3.1.x".')
    _refuse_references_out(root)
    info = _mapping(root.get("info"), "info")
    title = _line(info.get("title")) or "API"
    version = _line(info.get("version"))[:40]
    body: JsonObject = {
        "openapi": str(root["openapi"]),
        "info": {"title": title, "version": version, "description": _words(info)},
        "tags": _tags(root.get("tags")),
        "paths": _paths(root),
        "components": _components(root.get("components")),
    }
    found = operations(body)
    if not found:
        raise Malformed("The document describes no operation.")
    return Document(title, version, body, found, tuple(_servers(root.get("servers"))))


def operations(body: Mapping[str, Json]) -> tuple[Operation, ...]:
    """Those of a document that was kept."""
    return tuple(
        _operation(body, path, method, item[method])
        for path, item in body["paths"].items()
        for method in METHODS
        if method in item
    )


def resolve(body: Mapping[str, Json], value: Json) -> JsonObject:
    """What a reference within the document stands for; anything that leads nowhere is empty."""
    for _ in range(REFERENCES_MAX):
        if not isinstance(value, dict):
            return {}
        if not isinstance(value.get("$ref"), str):
            return value
        value = _pointed_at(body, value["$ref"])
    return {}


def _pointed_at(body: Mapping[str, Json], reference: str) -> Json:
    found: Json = body
    for step in reference.removeprefix("#").split("/")[1:]:
        if not isinstance(found, Mapping):
            return None
        found = found.get(step.replace("~1", "/").replace("~0", "~"))
    return found


def _refuse_references_out(root: JsonObject) -> None:
    waiting: list[Json] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for key in ("$ref", "$dynamicRef"):
                reference = value.get(key)
                if isinstance(reference, str) and not reference.startswith("#"):
                    shown = reference[:80]
                    raise Malformed(f"{shown!r} is outside of the document: bundle it into one.")
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _paths(root: JsonObject) -> JsonObject:
    kept: JsonObject = {}
    count = 0
    for path, written in _mapping(root.get("paths", {}), "paths").items():
        if path.startswith("x-"):
            continue
        _check_path(path)
        item = resolve(root, written)
        shared = _parameters(root, item.get("parameters"))
        methods = {
            method: _kept_operation(root, path, item[method], shared)
            for method in METHODS
            if method in item
        }
        count += len(methods)
        if count > OPERATIONS_MAX:
            raise Malformed(f"The document has more than {OPERATIONS_MAX} operations.")
        if methods:
            kept[path] = methods
    return kept


def _check_path(path: str) -> None:
    if len(path) > PATH_LENGTH_MAX or _PATH.fullmatch(path) is None:
        raise Malformed(f"{path[:80]!r} is not a path: /words, with {{names}} for what varies.")
    if "%" in path or any(part in {".", ".."} for part in path.split("/")):
        raise Malformed(f"{path[:80]!r} has escapes or dots that the gate does not let through.")
    if "{" in _TEMPLATE.sub("", path) or "}" in _TEMPLATE.sub("", path):
        raise Malformed(f"{path[:80]!r} has a brace too many.")


def _kept_operation(root: JsonObject, path: str, written: Json, shared: list[Json]) -> JsonObject:
    given = _mapping(written, f"An operation of {path}")
    tags = given.get("tags")
    kept: JsonObject = {
        "tags": [_line(each) for each in tags if _line(each)] if isinstance(tags, list) else [],
        "summary": _line(given.get("summary")),
        "description": _words(given),
        "deprecated": given.get("deprecated") is True,
    }
    if operation_id := _line(given.get("operationId")):
        kept["operationId"] = operation_id
    own = _parameters(root, given.get("parameters"))
    named = {(each["in"], each["name"]) for each in own}
    both = own + [each for each in shared if (each["in"], each["name"]) not in named]
    kept["parameters"] = [each for place in PLACES for each in both if each["in"] == place]
    for name in dict.fromkeys(_TEMPLATE.findall(path)):
        if all((each["in"], each["name"]) != ("path", name) for each in both):
            undeclared = {"name": name, "in": "path", "schema": {"type": "string"}}
            kept["parameters"].append({**undeclared, "required": True, "description": ""})
    if "requestBody" in given:
        kept["requestBody"] = _kept_body(resolve(root, given["requestBody"]))
    kept["responses"] = _kept_responses(root, given.get("responses"))
    return kept


def _parameters(root: JsonObject, written: Json) -> list[Json]:
    if not isinstance(written, list):
        return []
    if len(written) > PARAMETERS_MAX:
        raise Malformed(f"An operation has more than {PARAMETERS_MAX} parameters.")
    return [kept for each in written if (kept := _kept_parameter(resolve(root, each)))]


def _kept_parameter(given: JsonObject) -> JsonObject | None:
    name, place = given.get("name"), given.get("in")
    if not isinstance(name, str) or not name or not isinstance(place, str):
        return None
    if place == "header" and (name.lower() in NOT_PARAMETERS or not _HEADER.fullmatch(name)):
        return None
    kept: JsonObject = {
        "name": name[:LINE_LENGTH_MAX],
        "in": place,
        "required": place == "path" or given.get("required") is True,
        "description": _words(given)[:1_000],
        "schema": given.get("schema") if isinstance(given.get("schema"), dict) else {},
    }
    if "example" in given:
        kept["example"] = given["example"]
    return kept


def _kept_body(given: JsonObject) -> JsonObject:
    content = given.get("content")
    kept: JsonObject = {
        "required": given.get("required") is True,
        "content": _kept_content(content) if isinstance(content, dict) else {},
    }
    return kept


def _kept_content(content: JsonObject) -> JsonObject:
    return {
        kind[:100]: {key: media[key] for key in ("schema", "example") if key in media}
        for kind, media in content.items()
        if isinstance(media, dict)
    }


def _kept_responses(root: JsonObject, written: Json) -> JsonObject:
    kept: JsonObject = {}
    for status, each in (written if isinstance(written, dict) else {}).items():
        if status.startswith("x-"):
            continue
        given = resolve(root, each)
        kept[status] = {"description": _words(given) or "An answer."}
        if isinstance(given.get("content"), dict):
            kept[status]["content"] = _kept_content(given["content"])
    return kept or {"default": {"description": "What the API answers."}}


def _components(written: Json) -> JsonObject:
    given = written if isinstance(written, dict) else {}
    return {key: given[key] for key in KEPT_COMPONENTS if isinstance(given.get(key), dict)}


def _tags(written: Json) -> list[Json]:
    return [
        {"name": each["name"][:LINE_LENGTH_MAX], "description": _words(each)}
        for each in (written if isinstance(written, list) else [])
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    ]


def _servers(written: Json) -> Iterator[str]:
    for each in (written if isinstance(written, list) else [])[:SERVERS_MAX]:
        url = each.get("url") if isinstance(each, dict) else None
        if isinstance(url, str) and "{" not in url and len(url) <= 500:
            try:
                place = urlsplit(url)
            except ValueError:
                continue
            if place.scheme in {"http", "https"} and place.hostname:
                yield url.rstrip("/")


def _operation(body: Mapping[str, Json], path: str, method: str, given: JsonObject) -> Operation:
    return Operation(
        method=method.upper(),
        path=path,
        summary=given["summary"],
        description=given["description"],
        tag=next(iter(given["tags"]), ""),
        parameters=tuple(_parameter(body, each) for each in given["parameters"]),
        body=_body(body, given.get("requestBody")),
        streams=any(
            kind.startswith("text/event-stream")
            for answer in given["responses"].values()
            for kind in answer.get("content", {})
        ),
        deprecated=given["deprecated"],
    )


def _parameter(body: Mapping[str, Json], given: JsonObject) -> Parameter:
    return Parameter(
        name=given["name"],
        place=given["in"],
        required=given["required"],
        description=given.get("description", ""),
        schema=resolve(body, given["schema"]),
        example=given.get("example"),
    )


def _body(body: Mapping[str, Json], given: Json) -> Body | None:
    """JSON where there is a choice."""
    content = given.get("content") if isinstance(given, dict) else None
    if not content:
        return None
    kind = next((kind for kind in content if "json" in kind), next(iter(content)))
    media = content[kind]
    schema = resolve(body, media.get("schema"))
    return Body(kind, given["required"], schema, media.get("example"))


def _mapping(value: Json, name: str) -> JsonObject:
    if not isinstance(value, dict):
        raise Malformed(f"{name} is not an object.")
    return value


def _line(value: Json) -> str:
    return " ".join(value.split())[:LINE_LENGTH_MAX] if isinstance(value, str) else ""


def _words(given: JsonObject) -> str:
    written = given.get("description")
    return written[:TEXT_LENGTH_MAX] if isinstance(written, str) else ""

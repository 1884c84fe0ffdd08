"""From an operation and what a person wrote into its form to the call that is made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from marketplace.domain.openapi import Operation, Parameter
from marketplace.domain.sampling import kind

BODY = "body"
BODY_LENGTH_MAX = 64 * 1024
VALUE_LENGTH_MAX = 2_000
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


class Incomplete(ValueError):
    """Nothing is called; the message is for the person at the form."""


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    target: str
    """Path and query as they are sent, after the service's own address."""
    headers: tuple[tuple[str, str], ...]
    body: str | None


def field(parameter: Parameter) -> str:
    """The name of its field in the form."""
    return f"{parameter.place}:{parameter.name}"


def build(operation: Operation, values: Mapping[str, str]) -> Call:
    path, query, headers = operation.path, [], []
    for parameter in operation.parameters:
        value = _value(parameter, values)
        if parameter.place == "path":
            path = _filled(path, parameter, value)
        elif value and parameter.place == "query":
            query += [(parameter.name, part) for part in _parts(parameter, value)]
        elif value:
            headers.append((parameter.name, _printable(parameter, value)))
    body = _body(operation, values.get(BODY, ""))
    if body is not None and operation.body is not None:
        headers.append(("content-type", operation.body.content_type))
    target = path + (f"?{urlencode(query)}" if query else "")
    return Call(operation.method, target, tuple(headers), body)


def _value(parameter: Parameter, values: Mapping[str, str]) -> str:
    value = values.get(field(parameter), "").strip()
    if len(value) > VALUE_LENGTH_MAX:
        raise Incomplete(f"{parameter.name} is too long.")
    if not value and parameter.required:
        raise Incomplete(f"{parameter.name} is needed.")
    return value


def _printable(parameter: Parameter, value: str) -> str:
    if _PRINTABLE.fullmatch(value) is None:
        raise Incomplete(f"{parameter.name} is a header: letters, digits and signs.")
    return value


def _filled(path: str, parameter: Parameter, value: str) -> str:
    """One that is not required ends the path, and may have several words or none."""
    hole = f"{{{parameter.name}}}"
    if parameter.required:
        if value in {".", ".."}:
            raise Incomplete(f"{parameter.name} cannot be dots alone.")
        return path.replace(hole, quote(value, safe=""))
    if {".", ".."} & set(value.split("/")):
        raise Incomplete(f"{parameter.name} cannot have dots alone between slashes.")
    rest = quote(value.lstrip("/"), safe="/")
    return path.replace(hole, rest) if rest else path.replace(f"/{hole}", "") or "/"


def _parts(parameter: Parameter, value: str) -> list[str]:
    if kind(parameter.schema) != "array":
        return [value]
    return [part.strip() for part in value.split(",") if part.strip()]


def _body(operation: Operation, written: str) -> str | None:
    if operation.body is None or not written.strip():
        if operation.body is not None and operation.body.required:
            raise Incomplete("This operation needs a body.")
        return None
    if len(written) > BODY_LENGTH_MAX:
        raise Incomplete(f"A body has at most {BODY_LENGTH_MAX // 1024} kB here.")
    return written.replace("\r\n", "\n")

"""JSON or YAML that a stranger wrote, as plain values within bounds.

YAML is read by JSON's rules: no dates, no numbers of base 60, no merge keys (lists of them double
what they stand for at each step), and aliases only as far as what they stand for fits the bounds.
Depth is looked at before anything is built: building goes as deep as the text does.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml

Json: TypeAlias = Any
"""None, bool, int, float, str, list and dict with str keys; told apart by who reads it."""

BYTES_MAX = 2 * 1024 * 1024
DEPTH_MAX = 60
VALUES_MAX = 200_000
"""With what aliases stand for, as often as they do."""
NUMBER_LENGTH_MAX = 40
_TOO_DEEP = f"The document is nested more than {DEPTH_MAX} deep."
_TOO_MUCH = f"The document has more than {VALUES_MAX:,} values, with what its aliases repeat."


class Malformed(ValueError):
    """Not a document that we read; the message is for the person who gave it to us."""


class _Loader(yaml.CSafeLoader):
    """YAML's JSON schema: what looks like a date or like 12:30:45 is text."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise Malformed("YAML's merge key (<<) is not read here: write the keys out.")


for tag, pattern, first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", rf"[-+]?[0-9]{{1,{NUMBER_LENGTH_MAX}}}", list("-+0123456789")),
    (
        "float",
        rf"[-+]?(?:\.[0-9]+|[0-9]{{1,{NUMBER_LENGTH_MAX}}}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{{1,3}})?",
        list("-+0123456789."),
    ),
    ("merge", r"<<", ["<"]),
):
    whole = re.compile(rf"^(?:{pattern})$")
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", whole, first)


def read(text: bytes) -> Json:
    """The document's value, of plain types alone."""
    if len(text) > BYTES_MAX:
        raise Malformed(f"The document is larger than {BYTES_MAX // 1024 // 1024} MiB.")
    try:
        written = text.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Malformed("The document is not UTF-8 text.") from exc
    if not written.strip():
        raise Malformed("The document is empty.")
    built = _json(written) if written.lstrip()[0] in "{[" else _yaml(written)
    left = [VALUES_MAX]
    return _plain(built, DEPTH_MAX, left)


def _json(written: str) -> Json:
    try:
        return json.loads(written, parse_constant=_no_number, parse_int=_whole)
    except json.JSONDecodeError as exc:
        try:
            return _yaml(written)  # YAML may begin with a brace, too.
        except Malformed:
            told = f"Not JSON: {exc.msg}, line {exc.lineno}, column {exc.colno}."
            raise Malformed(told) from exc
    except RecursionError as exc:
        raise Malformed(_TOO_DEEP) from exc


def _whole(digits: str) -> int:
    if len(digits) > NUMBER_LENGTH_MAX:
        raise Malformed("A number of the document is too long.")
    return int(digits)


def _no_number(name: str) -> float:
    raise Malformed(f"{name} is not a number of JSON.")


def _yaml(written: str) -> Json:
    try:
        _check_shape(yaml.parse(written, Loader=_Loader))
        return yaml.load(written, Loader=_Loader)  # noqa: S506  a safe one, with less
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Malformed(f"Not YAML: {exc.problem or exc.context}{where}.") from exc
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as exc:
        if isinstance(exc, Malformed):
            raise
        raise Malformed("Neither JSON nor YAML.") from exc


def _check_shape(events: Iterator[yaml.Event]) -> None:
    depth = values = documents = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        values += isinstance(event, yaml.NodeEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > DEPTH_MAX:
            raise Malformed(_TOO_DEEP)
        if values > 2 * VALUES_MAX:  # Keys are among them.
            raise Malformed(_TOO_MUCH)
    if documents != 1:
        raise Malformed("A file with one document, please.")


def _plain(value: Json, deeper: int, left: list[int]) -> Json:
    left[0] -= 1
    if left[0] < 0:
        raise Malformed(_TOO_MUCH)
    if deeper < 0:
        raise Malformed(_TOO_DEEP)
    if isinstance(value, dict):
        return {_key(key): _plain(each, deeper - 1, left) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, deeper - 1, left) for each in value]
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and value == value and abs(value) != float("inf"):  # noqa: PLR0124
        return value
    raise Malformed(f"{type(value).__name__} is not a type of JSON.")


def _key(key: object) -> str:
    if isinstance(key, str):
        return _text(key)
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):  # The answers of an operation: 200 and 404 are numbers in YAML.
        return str(key)
    raise Malformed("A key of the document is not text.")


def _text(text: str) -> str:
    """Databases keep no NUL, and no halves of characters."""
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise Malformed("A text of the document has characters that are no text.")
    return text

"""JSON-RPC 2.0 as a Stellar RPC node speaks it: one request a body, parameters by name."""

import json
from collections.abc import Callable, Mapping
from typing import NoReturn

from billing.sandbox.storage import Document, Json

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602


class RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def bad_params(message: str) -> NoReturn:
    raise RpcError(INVALID_PARAMS, message)


Method = Callable[["Params"], Document]


class Params:
    """The parameters of one call, read by name and type; whatever is wrong is -32602."""

    def __init__(self, given: Document, where: str = "") -> None:
        self._given = given
        self._where = where

    def _name(self, field: str) -> str:
        return f"{self._where}{field}"

    def text(self, field: str) -> str | None:
        value = self._given.get(field)
        if value is not None and not isinstance(value, str):
            bad_params(f"{self._name(field)} must be a string")
        return value

    def needed_text(self, field: str) -> str:
        value = self.text(field)
        if value is None:
            bad_params(f"{self._name(field)} is required")
        return value

    def number(self, field: str) -> int | None:
        value = self._given.get(field)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            bad_params(f"{self._name(field)} must be an integer")
        return value

    def flag(self, field: str) -> bool:
        value = self._given.get(field)
        if value is not None and not isinstance(value, bool):
            bad_params(f"{self._name(field)} must be true or false")
        return bool(value)

    def object(self, field: str) -> "Params":
        value = self._given.get(field)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            bad_params(f"{self._name(field)} must be an object")
        return Params(value, f"{self._name(field)}.")

    def objects(self, field: str, most: int) -> list["Params"]:
        items = self._list(field, most)
        found = []
        for place, item in enumerate(items):
            if not isinstance(item, dict):
                bad_params(f"{self._name(field)}[{place}] must be an object")
            found.append(Params(item, f"{self._name(field)}[{place}]."))
        return found

    def texts(self, field: str, most: int) -> list[str]:
        return texts_in(self._list(field, most), self._name(field))

    def text_lists(self, field: str, most: int) -> list[list[str]]:
        found = []
        for item in self._list(field, most):
            if not isinstance(item, list):
                bad_params(f"{self._name(field)} must be a list of lists")
            found.append(texts_in(item, self._name(field)))
        return found

    def _list(self, field: str, most: int) -> list[Json]:
        value = self._given.get(field)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > most:
            bad_params(f"{self._name(field)} must be a list of at most {most}")
        return value


def texts_in(items: list[Json], name: str) -> list[str]:
    found = []
    for item in items:
        if not isinstance(item, str):
            bad_params(f"{name} must hold strings")
        found.append(item)
    return found


def answer(body: bytes, methods: Mapping[str, Method]) -> Document:
    identity: Json = None
    try:
        request = _parse(body)
        identity = request.get("id")
        result = _call(request, methods)
    except RpcError as error:
        problem: Document = {"code": error.code, "message": error.message}
        return {"jsonrpc": "2.0", "id": identity, "error": problem}
    return {"jsonrpc": "2.0", "id": identity, "result": result}


def _parse(body: bytes) -> Document:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise RpcError(PARSE_ERROR, "the body is not JSON") from problem
    if not isinstance(request, dict):
        raise RpcError(INVALID_REQUEST, "one request object is expected")
    return request


def _call(request: Document, methods: Mapping[str, Method]) -> Document:
    if not isinstance(request.get("id"), str | int | None):
        raise RpcError(INVALID_REQUEST, "id must be a string or a number")
    method = request.get("method")
    if request.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise RpcError(INVALID_REQUEST, "jsonrpc must be 2.0 and method a string")
    if method not in methods:
        raise RpcError(METHOD_NOT_FOUND, "method not found")
    params = request.get("params")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        bad_params("params must be an object")
    return methods[method](Params(params))

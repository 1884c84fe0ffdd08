"""What whoever runs the sandbox may ask of it: faults, and ledgers when its clock is stepped.

    GET    /faults                        those that there are, and which are on
    PUT    /faults/NAME  {"times": N}     on; without a body until it is switched off
    DELETE /faults/NAME, DELETE /faults   off
    POST   /ledgers  {"count": N, "seconds": S}   close so many, each S seconds after the last

Pages cannot switch anything: a browser asks first for PUT and DELETE, and is not told yes.
"""

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias

from billing.sandbox.disturbing import Disturbed
from billing.sandbox.faults import STRIKES, Fault, Faults
from billing.sandbox.storage import Document, Json

LEDGERS_AT_ONCE_MAX = 1_000
SECONDS_MAX = 3_600
SECONDS_DEFAULT = 5
TIMES_MAX = 1_000_000

Answer: TypeAlias = tuple[int, Document]
Step: TypeAlias = Callable[[int, int], Document]


class Bad(ValueError):
    """The message says what was wrong with the request."""


class Switches:
    def __init__(self, faults: Faults, disturbed: Disturbed, step: Step | None) -> None:
        self._faults, self._disturbed, self._step = faults, disturbed, step

    def knows(self, path: str) -> bool:
        return path in {"/faults", "/ledgers"} or path.startswith("/faults/")

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        try:
            match method, path:
                case "GET", "/faults":
                    pass
                case "DELETE", "/faults":
                    for fault in Fault:
                        self._disturbed.switch_off(fault)
                case "PUT", _ if path.startswith("/faults/"):
                    times = _number(_given(body), "times", most=TIMES_MAX)
                    self._disturbed.switch_on(_fault(path), times)
                case "DELETE", _ if path.startswith("/faults/"):
                    self._disturbed.switch_off(_fault(path))
                case "POST", "/ledgers":
                    return self._close(_given(body))
                case _:
                    return 405, {"status": 405, "detail": "GET, PUT and DELETE; POST /ledgers"}
        except Bad as problem:
            return 400, {"status": 400, "detail": str(problem)}
        return 200, self._shown()

    def _close(self, given: Mapping[str, Json]) -> Answer:
        if self._step is None:
            return 409, {"status": 409, "detail": "Ledgers close by the clock: start it --stepped."}
        count = _number(given, "count", most=LEDGERS_AT_ONCE_MAX, least=0)
        seconds = _number(given, "seconds", most=SECONDS_MAX, least=0)
        return 200, self._step(
            1 if count is None else count, SECONDS_DEFAULT if seconds is None else seconds
        )

    def _shown(self) -> Document:
        told: list[Json] = []
        for fault, strikes in STRIKES.items():
            one: Document = {
                "name": fault.value,
                "strikes": strikes,
                "on": fault in self._faults.left,
            }
            if self._faults.left.get(fault) is not None:
                one["times"] = self._faults.left[fault]
            told.append(one)
        return {"faults": told}


def _fault(path: str) -> Fault:
    name = path.removeprefix("/faults/")
    try:
        return Fault(name)
    except ValueError as unknown:
        raise Bad(f"no such fault: {name[:40]}") from unknown


def _given(body: bytes) -> Mapping[str, Json]:
    if not body:
        return {}
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise Bad("the body is not JSON") from problem
    if not isinstance(given, dict):
        raise Bad("the body must be an object")
    return given


def _number(given: Mapping[str, Json], name: str, *, most: int, least: int = 1) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Bad(f"{name} must be a number from {least} to {most}")
    return value

"""A gate process without the gate: leases, spends and says what it was given.

    python -m tests.gateway.ledgers.spender SERVED_FILE < commands > answers

One JSON command a line. Each unit served is a byte in SERVED_FILE, written when it is served, so
that it is known after a `kill -9` too.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402 - after setup

from gateway.domain.allowance import Refused, Unavailable  # noqa: E402
from gateway.domain.limits import Direction, parse_limits  # noqa: E402
from gateway.leasing import Leasing  # noqa: E402
from gateway.ledgers.database import DatabaseLedger  # noqa: E402
from gateway.ledgers.port import LedgerUnavailable  # noqa: E402
from gateway.spending import Allowance, Reservation  # noqa: E402
from tests.gateway.selling import LONG_AGO_S, make_grant  # noqa: E402

NOW_S = LONG_AGO_S + 100.0


class Spender:
    def __init__(self, leasing: Leasing, served: int) -> None:
        self._leasing = leasing
        self._served = served
        self._kept: list[Reservation] = []

    def allowance(self, command: dict[str, object]) -> Allowance:
        number = command["grant"]
        assert isinstance(number, int)
        return self._leasing.allowance(make_grant(*parse_limits(command["limits"]), number=number))

    async def call(self, command: dict[str, object]) -> str:
        outcome = await self.allowance(command).acquire(NOW_S)
        if isinstance(outcome, Refused):
            return "refused"
        if isinstance(outcome, Unavailable):
            return "unavailable"
        os.write(self._served, b".")
        if command.get("keep"):
            self._kept.append(outcome)
        else:
            outcome.settle(charged=True)
        return "served"

    async def stream(self, command: dict[str, object]) -> int:
        outcome = await self.allowance(command).acquire(NOW_S)
        if not isinstance(outcome, Reservation):
            return 0
        passed = 0
        while True:
            try:
                taken = outcome.take_bytes(Direction.DOWN, 65_536) or await outcome.wait_bytes(
                    Direction.DOWN, 65_536
                )
            except LedgerUnavailable:
                continue  # A client would come back after Retry-After.
            if taken == 0:
                break
            passed += taken
            await asyncio.sleep(0)
        outcome.settle(charged=True)
        return passed

    async def obey(self, command: dict[str, object]) -> dict[str, int]:
        count = command["count"]
        assert isinstance(count, int)
        if command["do"] == "stream":
            passed = await asyncio.gather(*(self.stream(command) for _ in range(count)))
            return {"passed": sum(passed)}
        if command["do"] == "in turn":
            outcomes = []
            for _ in range(count):
                outcomes.append(await self.call(command))
                if command.get("slowly"):
                    await asyncio.sleep(0.001)
        else:
            outcomes = list(await asyncio.gather(*(self.call(command) for _ in range(count))))
        return {kind: outcomes.count(kind) for kind in ("served", "refused", "unavailable")}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(served_path: str) -> None:
    served = os.open(served_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    leasing = Leasing(DatabaseLedger(), Path(settings.HOME) / "journals")
    await leasing.start()
    spender = Spender(leasing, served)
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        say(json.dumps(await spender.obey(json.loads(line))))
    await leasing.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

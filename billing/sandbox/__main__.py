"""`python -m billing.sandbox`: run the network until it is stopped."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from billing.sandbox import serving
from billing.sandbox.storage import InUseError

NOT_PRODUCTION = {"", "0", "false", "n", "no", "off"}


def main(arguments: Sequence[str]) -> str | None:
    """What went wrong, if anything."""
    parser = argparse.ArgumentParser(prog="python -m billing.sandbox", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    serving.add_arguments(parser)
    given = parser.parse_args(arguments)
    if os.environ.get("APICHARGE_PRODUCTION", "").lower() not in NOT_PRODUCTION:
        return serving.REFUSAL
    try:
        wanted = serving.Wanted.of(vars(given))
        serving.run(home=given.home, port=given.port, wanted=wanted)
    except (InUseError, OSError) as problem:
        return str(problem)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

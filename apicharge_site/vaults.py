"""A key that another program hands out: the client of a KMS or a vault, as its operator runs it.

What it prints is the key, kept in memory alone. It is run without a shell, once at the start.
"""

import shlex
import subprocess

PATIENCE_S = 30


class VaultFailed(RuntimeError):
    """The message says what happened, and nothing of what was printed."""


def fetch(command: str) -> str:
    try:
        words = shlex.split(command)
        ended = subprocess.run(  # noqa: S603 - whoever sets it runs this process
            words, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S
        )
        return ended.stdout.decode("ascii").strip()
    except subprocess.TimeoutExpired:
        problem = f"{words[0]} did not answer within {PATIENCE_S} s"
    except subprocess.CalledProcessError as failed:
        problem = f"{words[0]} ended with status {failed.returncode}"
    except OSError as missing:
        problem = f"{words[0]} cannot be run: {missing.strerror}"
    except ValueError:
        problem = "it cannot be read, or what it prints cannot"
    raise VaultFailed(problem)

"""A child for tests: adds its process id to a file, then waits for signals."""

import os
import signal
import sys

if __name__ == "__main__":
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\n")
    signal.pause()

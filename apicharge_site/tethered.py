"""`python -m apicharge_site.tethered MODULE ARGUMENT…` runs MODULE for as long as its parent lives.

The tether is standard input: a pipe whose other end only the parent holds. However the parent ends,
`kill -9` included, the kernel closes that end, the read returns, and this process ends too.
"""

import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 5.0


def follow(tether: int) -> None:
    """End this process when the other end of the pipe is gone: first asked, then made."""
    while os.read(tether, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    # A copy, so that the module may do with its standard input what it likes.
    threading.Thread(target=follow, args=(os.dup(0),), daemon=True, name="tether").start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

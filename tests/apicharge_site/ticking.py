"""Worker and beat in this process, which says each tick. It ends with its standard input.

python -m tests.apicharge_site.ticking DIRECTORY [--send]
"""

import sys
import threading
from pathlib import Path

from celery import Celery

from apicharge_site.embedded import start_workers

app = Celery("embedded", broker="memory://", set_as_current=False)
app.conf.update(
    task_ignore_result=True,
    task_default_queue="embedded",
    broker_transport_options={"polling_interval": 0.02},
    beat_schedule={"tick": {"task": "embedded.tick", "schedule": 0.05}},
)


@app.task(name="embedded.tick")
def tick() -> None:
    sys.stdout.write("tick\n")
    sys.stdout.flush()


if __name__ == "__main__":
    stop = start_workers(app, Path(sys.argv[1]))
    if "--send" in sys.argv:
        tick.delay()
    sys.stdin.read()
    stop()
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"worker", "beat"})
    sys.stdout.write("stopped\n")

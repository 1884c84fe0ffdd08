"""Django, ready for benchmarks that use its models: whatever imports them imports this before."""

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apicharge_site.settings")
django.setup()


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

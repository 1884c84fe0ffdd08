"""Chromium for tests that look at pages: the machine's own.

Where it is missing the tests skip, but with CI=true they fail: without a browser it is no run.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
EXPECTED_WITHIN_MS = 60_000
"""Longer than anything takes on a busy machine: a test finds what never comes."""
MISSING = "Chromium is not on this machine; on Debian: apt-get install chromium"


def found() -> str:
    return next(filter(None, map(shutil.which, NAMES)), None) or no_chromium()


def no_chromium() -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(MISSING)
    pytest.skip(MISSING)


@contextmanager
def launched() -> Iterator[Browser]:
    executable = found()
    expect.set_options(timeout=EXPECTED_WITHIN_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()

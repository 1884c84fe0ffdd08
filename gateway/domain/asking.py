"""Asking a model server to report what a stream used, where its client did not."""

import json
from typing import NamedTuple

REWRITTEN_BYTES_MAX = 8 * 1024 * 1024
COMPLETIONS = "completions"


class Asked(NamedTuple):
    body: bytes
    hides: bool
    """The client did not ask for the chunk that will report, so it is not to see it."""


def may_stream(method: str, path: str, content_type: str) -> bool:
    """Whether the body may ask for a stream that reports only when asked to."""
    is_json = content_type.partition(";")[0].strip().lower() == "application/json"
    return method == "POST" and is_json and path.rstrip("/").endswith(f"/{COMPLETIONS}")


def ask_for_usage(body: bytes, *, continuous: bool) -> Asked:
    """The same body where it is no stream's, or cannot be read."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return Asked(body, hides=False)
    if not isinstance(document, dict) or document.get("stream") is not True:
        return Asked(body, hides=False)
    given = document.get("stream_options")
    options = dict(given) if isinstance(given, dict) else {}
    asked = options.get("include_usage") is True
    if asked and not continuous:
        return Asked(body, hides=False)
    options["include_usage"] = True
    if continuous:
        options["continuous_usage_stats"] = True
    return Asked(json.dumps({**document, "stream_options": options}).encode(), hides=not asked)

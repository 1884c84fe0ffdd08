"""The tokens that an answer's documents report, in the dialects of model servers.

A document is one JSON body, one event's data, or one line. `usage_in` finds what it reports;
`deltas_in` counts what it delivers, one for each piece of text, for streams that end before they
report. Known: OpenAI chat, completions and responses; vLLM and SGLang (running totals); llama.cpp
(also its own `/completion`); Ollama's own; TGI's own; Anthropic's messages.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

TOKENS_MAX = 2**53 - 1

# (tokens in, tokens out), by where they stand.
_NAMES = [
    ("prompt_tokens", "completion_tokens"),
    ("input_tokens", "output_tokens"),
    ("prompt_eval_count", "eval_count"),
    ("tokens_evaluated", "tokens_predicted"),
    ("prefill_tokens", "generated_tokens"),
]
_TEXTS = ("content", "reasoning_content", "reasoning", "text", "response", "thinking", "refusal")


@dataclass(frozen=True, slots=True)
class Usage:
    tokens_in: int | None
    tokens_out: int | None


def at(document: object, pointer: str) -> object:
    """RFC 6901; None where there is nothing."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def tokens(value: object) -> int | None:
    """A count as it is reported; anything else is no report."""
    return min(value, TOKENS_MAX) if type(value) is int and value >= 0 else None


def usage_in(document: object) -> Usage | None:
    for place in _places(document):
        for name_in, name_out in _NAMES:
            found = Usage(tokens(place.get(name_in)), tokens(place.get(name_out)))
            if found.tokens_in is not None or found.tokens_out is not None:
                return found
    return None


def _places(document: object) -> Iterator[Mapping[str, object]]:
    if not isinstance(document, Mapping):
        return
    for pointer in ("/usage", "/response/usage", "/message/usage", "/details"):
        if isinstance(place := at(document, pointer), Mapping):
            yield place
    if True in (document.get("done"), document.get("stop")) or "eval_count" in document:
        yield document


def deltas_in(document: object) -> int:
    if not isinstance(document, Mapping):
        return 0
    if isinstance(choices := document.get("choices"), list):
        return sum(_has_text(choice) for choice in choices)
    if str(document.get("type", "")).endswith("delta"):
        delta = document.get("delta")
        return int(bool(delta) and (isinstance(delta, str) or _delta_has_text(delta)))
    if isinstance(token := document.get("token"), Mapping):
        return int(token.get("text") is not None)
    message = document.get("message")
    return int(_texts(document) or (isinstance(message, Mapping) and _texts(message)))


def _has_text(choice: object) -> bool:
    if not isinstance(choice, Mapping):
        return False
    delta = choice.get("delta")
    return _texts(choice) or (isinstance(delta, Mapping) and _texts(delta))


def _delta_has_text(delta: object) -> bool:
    """Anthropic's `message_delta` ends a message and delivers nothing."""
    return isinstance(delta, Mapping) and (_texts(delta) or bool(delta.get("partial_json")))


def _texts(place: Mapping[str, object]) -> bool:
    said = any(isinstance(place.get(name), str) and place[name] for name in _TEXTS)
    return said or bool(place.get("tool_calls"))


def is_usage_alone(document: object) -> bool:
    """The chunk that a stream of OpenAI's has only when it was asked to report."""
    return (
        isinstance(document, Mapping)
        and document.get("choices") == []
        and isinstance(document.get("usage"), Mapping)
    )

"""Literal documents of each dialect."""

import json

import pytest

from gateway.domain.usage import Usage, at, deltas_in, is_usage_alone, usage_in

LAST_OPENAI = (
    '{"id":"c","object":"chat.completion.chunk","choices":[],'
    '"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}'
)
OPENAI = '{"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":null}'


@pytest.mark.parametrize(
    ("text", "usage", "deltas"),
    [
        # OpenAI, vLLM: chat and completions, streamed and whole
        (OPENAI, None, 1),
        (LAST_OPENAI, Usage(9, 12), 0),
        ('{"choices":[{"delta":{"role":"assistant","content":""}}]}', None, 0),
        ('{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}', None, 1),
        ('{"choices":[{"text":" a","index":0}]}', None, 1),
        (
            (
                '{"choices":[{"message":{"content":"Hi"}}],'
                '"usage":{"prompt_tokens":5,"completion_tokens":1}}'
            ),
            Usage(5, 1),
            0,
        ),
        # vLLM, SGLang: running totals
        (
            (
                '{"choices":[{"delta":{"content":"a"}}],'
                '"usage":{"prompt_tokens":5,"completion_tokens":3}}'
            ),
            Usage(5, 3),
            1,
        ),
        # OpenAI responses
        ('{"type":"response.output_text.delta","delta":"Hi"}', None, 1),
        (
            (
                '{"type":"response.completed","response":'
                '{"usage":{"input_tokens":3,"output_tokens":4}}}'
            ),
            Usage(3, 4),
            0,
        ),
        # llama.cpp: usage in the last chunk that has choices; its own /completion
        (
            (
                '{"choices":[{"finish_reason":"stop","delta":{}}],'
                '"usage":{"completion_tokens":7,"prompt_tokens":2}}'
            ),
            Usage(2, 7),
            0,
        ),
        ('{"content":"Hi","stop":false,"tokens_predicted":1,"tokens_evaluated":4}', None, 1),
        ('{"content":"","stop":true,"tokens_predicted":8,"tokens_evaluated":4}', Usage(4, 8), 0),
        # Ollama's own: generate and chat
        ('{"model":"m","response":"Hi","done":false}', None, 1),
        ('{"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}', None, 1),
        (
            '{"response":"","done":true,"prompt_eval_count":26,"eval_count":298}',
            Usage(26, 298),
            0,
        ),
        # TGI's own
        ('{"index":1,"token":{"id":4,"text":" a","special":false},"details":null}', None, 1),
        (
            (
                '{"token":{"id":5,"text":"."},"generated_text":"a.",'
                '"details":{"finish_reason":"length","generated_tokens":20}}'
            ),
            Usage(None, 20),
            1,
        ),
        # Anthropic
        (
            '{"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}',
            Usage(25, 1),
            0,
        ),
        ('{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}}', None, 1),
        (
            (
                '{"type":"message_delta","delta":{"stop_reason":"end_turn"},'
                '"usage":{"output_tokens":15}}'
            ),
            Usage(None, 15),
            0,
        ),
        # Not what it should be
        ('{"usage":{"prompt_tokens":-1,"completion_tokens":true}}', None, 0),
        ("[1]", None, 0),
        ('"x"', None, 0),
    ],
)
def test_dialect(text: str, usage: Usage | None, deltas: int) -> None:
    document = json.loads(text)
    assert (usage_in(document), deltas_in(document)) == (usage, deltas)


def test_chunk_of_usage_alone_is_known() -> None:
    assert is_usage_alone(json.loads(LAST_OPENAI))
    assert not is_usage_alone(json.loads(OPENAI))


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/a/0", 1), ("/a/1", None), ("/b~1c/~0", 2), ("/", 3), ("/a/x", None), ("/a/0/b", None)],
)
def test_pointer(pointer: str, value: object) -> None:
    assert at({"a": [1], "b/c": {"~": 2}, "": 3}, pointer) == value

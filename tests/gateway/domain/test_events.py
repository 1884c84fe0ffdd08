"""However a stream is cut into chunks: no byte is lost, every event begins a part of its own."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.events import HELD_BYTES_MAX, EventSplitter

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "events.json").read_text())["vectors"]
PIECES = [
    *(
        b"data",
        b"data:",
        b"data: x",
        b"database: x",
        b"dat",
        b"id: 7",
        b"event: error",
        b"retry: 3",
    ),
    *(b":", b": ping", b"a", b" ", b"\n", b"\n", b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf"),
]
STREAMS = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)


def chunks_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(places)]


def split(chunks: list[bytes]) -> list[bytes]:
    """The parts of a whole stream; the first begins no event."""
    splitter, parts = EventSplitter(), [b""]
    for chunk in chunks:
        rest, *begun = splitter.feed(chunk)
        parts[-1] += rest
        parts += begun
    parts[-1] += splitter.finish()
    return parts


def dispatched(stream: bytes) -> tuple[list[str], str]:
    """What a client makes of it, as the HTML standard says: the events' data, and the last id."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    events, data, last_id, id_now = [], "", "", ""
    for line in re.split("\r\n|\n|\r", text)[:-1]:
        name, _, value = line.partition(":")
        if not line:
            last_id = id_now
            events += [data[:-1]] if data else []
            data = ""
        elif name == "data":
            data += value.removeprefix(" ") + "\n"
        elif name == "id":
            id_now = value.removeprefix(" ")
    return events, last_id


@pytest.mark.parametrize("vector", VECTORS)
def test_vectors(vector: dict[str, list[str]]) -> None:
    first, *begun = split([chunk.encode() for chunk in vector["chunks"]])
    assert first.decode() == vector["before"]
    assert [event.decode() for event in begun] == vector["events"]


@given(STREAMS, st.lists(st.integers(0, 200), max_size=10))
def test_chunks_make_no_difference(stream: bytes, cuts: list[int]) -> None:
    parts = split(chunks_of(stream, cuts))
    assert b"".join(parts) == stream
    assert parts == split([stream])
    assert parts == split([bytes([byte]) for byte in stream])


@given(STREAMS.map(lambda stream: stream + b"\n\n"), st.lists(st.integers(0, 200), max_size=10))
def test_every_part_but_the_first_is_one_event(stream: bytes, cuts: list[int]) -> None:
    first, *begun = split(chunks_of(stream, cuts))
    assert len(begun) == len(dispatched(stream)[0])
    assert dispatched(first)[0] == []
    for count in range(len(begun)):
        heard = first + b"".join(begun[:count])
        assert len(dispatched(heard)[0]) == count


@given(st.integers(0, 5), st.sampled_from([b"\n", b"\r", b"\r\n"]))
def test_cut_before_an_event_hears_nothing_of_its_id(count: int, end: bytes) -> None:
    events = [end.join([b"id: %d" % n, b"event: e", b"data: x", b"", b""]) for n in range(1, 7)]
    first, *begun = split([b"".join(events)])
    heard = first + b"".join(begun[:count])
    assert dispatched(heard)[1] == (str(count) if count else "")
    assert begun == events
    assert first == b""


def test_comment_waits_for_nothing() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b": pi") == [b": pi"]
    assert splitter.feed(b"ng\n") == [b"ng\n"]
    assert splitter.feed(b":\n\n: again\r") == [b":\n\n: again\r"]
    assert splitter.feed(b"\nid: 4\n: held\n") == [b"\n"]
    assert splitter.feed(b"data") == [b""]
    assert splitter.feed(b":x\n") == [b"", b"id: 4\n: held\ndata:x\n"]
    assert splitter.feed(b"\ndata: y\n\n: ping\n\n") == [b"\n", b"data: y\n\n: ping\n\n"]


@pytest.mark.parametrize("block", [b"retry: 3000\n\n", b"event: hello\r\n\r\n", b"id\r\r"])
def test_block_without_data_passes_and_counts_as_nothing(block: bytes) -> None:
    assert split([block]) == [block]


def test_block_that_never_ends_is_not_kept_for_ever() -> None:
    splitter = EventSplitter()
    kept = b"x" * HELD_BYTES_MAX
    assert splitter.feed(kept) == [b""]
    assert splitter.feed(b"y") == [b"", kept + b"y"]
    assert splitter.feed(b"z" * 10) == [b"z" * 10]
    assert splitter.feed(b"\ndata: the same\n\n") == [b"\ndata: the same\n\n"]


def test_what_is_held_at_the_end_is_given_out() -> None:
    splitter = EventSplitter()
    splitter.feed(b"id: 7\ndat")
    assert splitter.finish() == b"id: 7\ndat"
    assert splitter.finish() == b""

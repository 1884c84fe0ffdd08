import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.sheets import Format, body, cell, head, tail

COLUMNS = ("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        '=HYPERLINK("http://x")',
        "\uff1d1",
    ],
)
def test_text_that_looks_like_a_formula_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, ""), (0, "0"), (-5, "-5"), ("", ""), ("a=b", "a=b"), ({"n": 1}, '{"n": 1}')],
)
def test_other_values_are_themselves(value: object, told: str) -> None:
    assert cell(value) == told


def test_lines_end_and_quote_as_rfc_4180_has_it() -> None:
    assert head(Format.CSV, COLUMNS) == "a,b\r\n"
    rows = [{"a": 'x"y', "b": "1,2"}]
    assert body(Format.CSV, COLUMNS, rows, first=True) == '"x""y","1,2"\r\n'


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_no_cell_begins_a_formula_and_every_row_is_one(rows: list[list[str]]) -> None:
    texts = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    written = head(Format.CSV, COLUMNS) + body(Format.CSV, COLUMNS, texts, first=True)
    read = list(csv.reader(io.StringIO(written, newline="")))[1:]
    assert len(read) == len(rows)
    assert not [c for row in read for c in row if c.lstrip(" ")[:1] in set("=+-@\t\r\n")]


@pytest.mark.parametrize("sizes", [[], [1], [2, 1], [1, 0, 3]])
def test_json_in_pieces_is_one_array_or_a_line_for_each_row(sizes: list[int]) -> None:
    rows = [{"a": n, "b": "=1", "c": "not asked for"} for n in range(sum(sizes))]
    wanted = [{"a": n, "b": "=1"} for n in range(sum(sizes))]
    for format_ in (Format.JSON, Format.JSONL):
        written, done = head(format_, COLUMNS), 0
        for size in sizes:
            written += body(format_, COLUMNS, rows[done : done + size], first=not done)
            done += size
        written += tail(format_)
        if format_ is Format.JSONL:
            written = f"[{written.strip().replace(chr(10), ',')}]"
        assert json.loads(written) == wanted

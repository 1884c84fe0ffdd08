"""Rows as CSV that a spreadsheet can open without running anything, and as JSON in two ways.

What a stranger chose ends up in these files. A text that a spreadsheet would take for a formula
gets an apostrophe before it, as OWASP advises; numbers stay numbers. Lines end as RFC 4180 has it.
JSON is one array, or a line for each row.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - lookalikes

Row = Mapping[str, object]


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON: "application/json",
    Format.JSONL: "application/jsonl",
}


def cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def head(format_: Format, columns: Sequence[str]) -> str:
    """Before the rows."""
    if format_ is Format.CSV:
        return _lines([columns])
    return "[" if format_ is Format.JSON else ""


def body(format_: Format, columns: Sequence[str], rows: Iterable[Row], *, first: bool) -> str:
    """Some rows; `first` when none were written before."""
    if format_ is Format.CSV:
        return _lines([[cell(row[column]) for column in columns] for row in rows])
    texts = [json.dumps({name: row[name] for name in columns}, ensure_ascii=False) for row in rows]
    if format_ is Format.JSONL:
        return "".join(f"{text}\n" for text in texts)
    joined = ",\n".join(texts)
    return joined if first or not joined else f",\n{joined}"


def tail(format_: Format) -> str:
    return "]\n" if format_ is Format.JSON else ""


def _lines(rows: Iterable[Iterable[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()

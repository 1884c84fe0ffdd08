import pytest

from apicharge_site.demo.transcript import Deviation, Transcript


def test_figure_as_sold_is_printed() -> None:
    lines: list[str] = []
    Transcript(lines.append).expect("bytes received", 1_000, 1_000)
    assert lines == ["  ✓ bytes received: 1000"]


def test_deviation_stops_and_names_both_figures() -> None:
    lines: list[str] = []
    with pytest.raises(Deviation, match="bytes received: 1001, and it should be 1000"):
        Transcript(lines.append).expect("bytes received", 1_001, 1_000)
    assert lines == []

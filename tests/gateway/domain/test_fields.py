import pytest

from gateway.domain.fields import Fields, LimitError, byte_words, counted, each_window


def test_a_field_that_nobody_read_is_unknown() -> None:
    fields = Fields({"kind": "calls", "count": 1, "cuont": 2}, "limits[0]")
    assert fields.integer("count") == 1
    with pytest.raises(LimitError, match=r"limits\[0\]\.cuont is not a field of this limit\."):
        fields.end()


@pytest.mark.parametrize("value", [None, 1, ["a"]])
def test_a_text_is_a_text(value: object) -> None:
    with pytest.raises(LimitError, match="must be a text"):
        Fields({"timezone": value}, "limits[0]").text("timezone")


@pytest.mark.parametrize("value", [None, [], {}, [1, 2, 3]])
def test_a_list_has_one_to_so_many_items(value: object) -> None:
    with pytest.raises(LimitError, match="must be a list of 1 to 2"):
        Fields({"windows": value}, "limits[0]").items("windows", 2)


def test_an_integer_has_its_own_upper_bound() -> None:
    with pytest.raises(LimitError, match="must be from 1 to 10"):
        Fields({"count": 11}, "limits[0]").integer("count", most=10)


def test_quantities_are_said_exactly() -> None:
    assert (counted(1, "call"), counted(2_000, "call")) == ("1 call", "2,000 calls")
    assert (each_window(60), each_window(90), each_window(None)) == (
        " every minute",
        " every 90 seconds",
        "",
    )
    assert (byte_words(3 * 2**20), byte_words(1_001)) == ("3 MiB", "1,001 bytes")

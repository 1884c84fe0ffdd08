import pytest

from marketplace.domain.coverage import Coverage


@pytest.mark.parametrize(
    ("wide", "narrow", "included"),
    [
        (("/", []), ("/v1/x", ["GET"]), True),
        (("/v1", []), ("/v1", []), True),
        (("/v1", []), ("/v1/x", []), True),
        (("/v1", []), ("/v10", []), False),
        (("/v1/x", []), ("/v1", []), False),
        (("/v1", ["GET"]), ("/v1", ["GET", "POST"]), False),
        (("/v1", ["GET", "POST"]), ("/v1", ["GET"]), True),
        (("/v1", ["GET"]), ("/v1", []), False),
    ],
)
def test_whatever_was_answered_is_answered_by_what_includes_it(
    wide: tuple[str, list[str]], narrow: tuple[str, list[str]], included: bool
) -> None:
    assert Coverage.of(*wide).includes(Coverage.of(*narrow)) is included


@pytest.mark.parametrize(
    ("one", "other", "collides"),
    [
        (("/v1", []), ("/v1", ["GET"]), True),
        (("/v1", ["GET"]), ("/v1", ["GET", "POST"]), True),
        (("/v1", ["GET"]), ("/v1", ["POST"]), False),
        (("/v1", []), ("/v1/x", []), False),
    ],
)
def test_two_claims_to_one_path_and_method_collide(
    one: tuple[str, list[str]], other: tuple[str, list[str]], collides: bool
) -> None:
    assert Coverage.of(*one).collides(Coverage.of(*other)) is collides
    assert Coverage.of(*other).collides(Coverage.of(*one)) is collides

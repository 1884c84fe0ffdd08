import pytest

from marketplace.domain.covering import Covering, cover

ROUTES = [
    ("whole", Covering("/v1", [])),
    ("read", Covering("/v1/files", ["GET"])),
    ("write", Covering("/v1/files", ["PUT"])),
    ("deep", Covering("/v1/files/public", ["GET"])),
]


@pytest.mark.parametrize(
    ("path", "method", "found"),
    [
        ("/v1/other", "GET", "whole"),
        ("/v1", "DELETE", "whole"),
        ("/v1/files", "GET", "read"),
        ("/v1/files/{name}", "PUT", "write"),
        ("/v1/files/{name}", "DELETE", None),
        ("/v1/files/public/{name}", "GET", "deep"),
        ("/v1/files/public/{name}", "PUT", None),
        ("/v1/{kind}", "GET", "whole"),
        ("/v1/filesystem", "GET", "whole"),
        ("/v2", "GET", None),
        ("/", "GET", None),
    ],
)
def test_the_longest_path_answers_as_at_the_gate(path: str, method: str, found: str | None) -> None:
    assert cover(ROUTES, path, method) == found


def test_the_root_covers_everything() -> None:
    assert cover([("all", Covering("/", []))], "/a/{b}", "GET") == "all"

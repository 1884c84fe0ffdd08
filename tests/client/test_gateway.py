import httpx
import pytest
from apicharge_client import gateway as gw
from apicharge_client.errors import BadDocument


def answer(status: int = 402, **parts: object) -> httpx.Response:
    request = httpx.Request("GET", "https://svc.example/now")
    return httpx.Response(status, request=request, **parts)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Gw.Example/a?b", "https://gw.example"),
        ("http://gw.example:80/", "http://gw.example"),
        ("https://gw.example:8443", "https://gw.example:8443"),
        ("http://[::1]:8000/x", "http://[::1]:8000"),
        ("https://user@gw.example/", "https://gw.example"),
    ],
)
def test_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert gw.origin_of(url) == origin


def test_challenge_is_read_from_its_document() -> None:
    document = {"route": "s/r", "purchase": {"url": "https://gw.example/apicharge/v1/purchases"}}
    assert gw.challenge(answer(json=document)) == gw.Challenge("s/r", "https://gw.example")


def test_challenge_is_read_from_its_link() -> None:
    link = '<https://gw.example/apicharge/v1/quotes?route=s%2Fr>; rel="payment", </x>; rel="help"'
    response = answer(text="<html>", headers={"Link": link})
    assert gw.challenge(response) == gw.Challenge("s/r", "https://gw.example")


@pytest.mark.parametrize("body", ["", "{}", '{"route": "s/r"}', '{"route": 1, "purchase": {}}'])
def test_402_of_somebody_else_is_no_challenge(body: str) -> None:
    with pytest.raises(BadDocument):
        gw.challenge(answer(text=body))


def test_error_is_that_of_our_scheme() -> None:
    headers = [("www-authenticate", 'Basic realm="x"')]
    assert gw.error_of(answer(401, headers=headers)) == ""
    headers.append(("www-authenticate", 'ApiCharge error="token_expired"'))
    assert gw.error_of(answer(401, headers=headers)) == "token_expired"


def test_problem_says_what_the_gateway_said() -> None:
    document = {"type": "https://gw/problems/no-trustline", "title": "T", "detail": "Add one."}
    problem = gw.problem(answer(422, json=document))
    assert (problem.status, problem.problem_type) == (422, "https://gw/problems/no-trustline")
    assert str(problem) == "https://svc.example/now answered 422: Add one."


def test_answer_that_is_no_problem_document_is_said_by_its_status() -> None:
    problem = gw.problem(answer(503, text="<html>", headers={"Retry-After": "7"}))
    assert str(problem).endswith("answered 503: Service Unavailable")
    assert problem.hint == "Try again in 7 s."

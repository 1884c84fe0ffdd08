import pytest

from billing.domain import webhooks
from billing.domain.webhooks import SecretError

# The vector of the Standard Webhooks specification and of its reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_signature_is_that_of_the_specification() -> None:
    assert webhooks.signature(SECRET, message_id=ID, timestamp=AT, body=BODY) == SIGNED
    bare = SECRET.removeprefix("whsec_")
    assert webhooks.signature(bare, message_id=ID, timestamp=AT, body=BODY) == SIGNED


@pytest.mark.parametrize(
    "changed",
    [{"message_id": "msg_other"}, {"timestamp": AT + 1}, {"body": BODY + b" "}],
)
def test_signature_is_over_id_moment_and_body(changed: dict[str, object]) -> None:
    said = {"message_id": ID, "timestamp": AT, "body": BODY, **changed}
    assert webhooks.signature(SECRET, **said) != SIGNED  # type: ignore[arg-type]


def test_headers_carry_a_signature_by_each_secret() -> None:
    other = webhooks.secret(bytes(range(32)))
    assert webhooks.headers([SECRET, other], message_id=ID, timestamp=AT, body=BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"{SIGNED} v1,O4Gjv1HqPqsMrjmczoggs/sWA8gZD0VyHG+fLh4+ktI=",
    }


def test_secret_is_base64_with_its_prefix() -> None:
    assert webhooks.secret(b"\0" * 24) == "whsec_" + "A" * 32
    assert webhooks.key_of("whsec_" + "A" * 32) == b"\0" * 24


@pytest.mark.parametrize("written", ["", "whsec_", "whsec_AAAA", "whsec_?", "whsec_" + "A" * 400])
def test_other_secrets_are_refused(written: str) -> None:
    with pytest.raises(SecretError):
        webhooks.key_of(written)


def test_attempts_are_few_and_farther_and_farther_apart() -> None:
    waits = [webhooks.retry_after_s(attempts) for attempts in range(1, 10)]
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, None, None]


def test_endpoint_is_given_up_after_many_failures_and_a_day_of_them() -> None:
    def given_up(failures: int, now_s: float) -> bool:
        return webhooks.is_given_up(failures=failures, failing_since_s=1_000, now_s=now_s)

    assert not given_up(9, 1_000 + 90_000)
    assert not given_up(10_000, 1_000 + 86_399)
    assert given_up(10, 1_000 + 86_400)


def test_only_two_hundreds_are_an_answer() -> None:
    assert [s for s in (199, 200, 204, 299, 300, 404, 500) if webhooks.answers_well(s)] == [
        200,
        204,
        299,
    ]

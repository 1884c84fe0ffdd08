import smtplib

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from billing import posting
from billing.models import Letter

NOW_S = 1_790_000_100


@pytest.fixture
def carla(db: None) -> User:
    return User.objects.create_user("carla", "carla@consumer.example")


def test_letter_is_sent_once_a_key(carla: User) -> None:
    assert posting.post(carla, "Subject", "Body", key="k", now_s=NOW_S)
    assert not posting.post(carla, "Subject", "Body", key="k", now_s=NOW_S)
    for _ in range(2):
        posting.send_due(now_s=NOW_S)
    assert [(letter.subject, letter.body) for letter in mail.outbox] == [("Subject", "Body")]


def test_server_that_is_away_is_asked_a_few_times(
    carla: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> int:
        raise smtplib.SMTPServerDisconnected

    monkeypatch.setattr(EmailBackend, "send_messages", away)
    posting.post(carla, "Subject", "Body", key="k", now_s=NOW_S)
    for turn in range(20):
        posting.send_due(now_s=NOW_S + turn * 100_000)
    letter = Letter.objects.get()
    assert (letter.attempts, letter.due_at_ms, letter.sent_at_s) == (6, None, None)
    assert len(caplog.records) == 6


def test_old_letters_are_forgotten(carla: User) -> None:
    posting.post(carla, "Subject", "Body", key="k", now_s=NOW_S)
    assert posting.tidy(now_s=NOW_S + 90 * 86_400) == 0
    assert posting.tidy(now_s=NOW_S + 90 * 86_400 + 1) == 1


def test_line_break_in_a_name_stops_no_letter(carla: User) -> None:
    posting.post(carla, "One\nTwo ends", "b", key="1", now_s=1)
    posting.post(carla, "Fine", "b", key="2", now_s=1)
    posting.send_due(now_s=2)
    assert [each.subject for each in mail.outbox] == ["One Two ends", "Fine"]

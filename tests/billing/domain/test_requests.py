from billing.domain.requests import TRANSITIONS, Event, State, before


def test_money_that_came_back_outweighs_every_answer() -> None:
    assert before(Event.PAY) == [State.ASKED, State.DECLINED, State.WITHDRAWN]
    assert {TRANSITIONS[state][Event.PAY] for state in before(Event.PAY)} == {State.REFUNDED}


def test_what_was_answered_is_answered() -> None:
    assert before(Event.DECLINE) == before(Event.WITHDRAW) == [State.ASKED]
    assert TRANSITIONS[State.REFUNDED] == {}

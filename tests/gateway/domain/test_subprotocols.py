from gateway.domain.subprotocols import Offered, read


def test_our_own_names_never_reach_the_upstream() -> None:
    offered = read(["chat", "apicharge", "apicharge.ab.cd~ef", "apicharged", ""])
    assert offered == Offered("ab.cd~ef", own=True, others=("chat", "apicharged"))


def test_first_token_counts() -> None:
    assert read(["apicharge.one", "apicharge.two"]).token == "one"
    assert read(["chat"]).token is None


def test_answer_is_the_upstreams_choice_else_our_name_if_it_was_offered() -> None:
    assert read(["apicharge", "apicharge.t", "chat"]).answer("chat") == "chat"
    assert read(["apicharge", "apicharge.t"]).answer(None) == "apicharge"
    assert read(["apicharge.t"]).answer(None) is None
    assert read([]).answer(None) is None

import ast

import apicharge_client
import pytest
from apicharge_client.arguments import parser
from apicharge_client.money import Budget

from marketplace.snippets import Example, snippets

ADDRESS = "http://127.0.0.1:8000/gate/weather/forecast"


@pytest.mark.parametrize(
    ("methods", "method"), [([], "GET"), (["HEAD", "GET"], "GET"), (["POST"], "POST")]
)
def test_example_calls_with_a_method_that_is_sold(methods: list[str], method: str) -> None:
    assert Example.of(ADDRESS, methods, "USDC:1").method == method


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_python_snippet_is_python_and_names_what_the_client_has(method: str) -> None:
    code = snippets(Example(ADDRESS, method, "USDC:2.50"))[1].code
    [imported] = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    for name in imported.names:
        assert hasattr(apicharge_client, name.name)
    assert Budget.of("USDC:2.50").left("USDC") == 25_000_000


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_command_line_snippet_is_what_the_command_takes(method: str) -> None:
    code = snippets(Example(ADDRESS, method, "USDC:2.50"))[0].code
    commands = [line for line in code.splitlines() if line.startswith("apicharge ")]
    assert len(commands) == 3
    for command in commands:
        words = [word.strip("'") for word in command.split()]
        parser().parse_args(words[1:])

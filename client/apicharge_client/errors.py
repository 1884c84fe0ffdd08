"""What can go wrong for a buyer, with what to do next and the exit code of the command.

ApiChargeError
├── KeyProblem           3  no buyer key, or one that cannot be read
├── NotTrusted           4  a quote, a gateway or a payment that is not what was agreed
│   └── InstructionRefused   an instruction that asks for another signature than was agreed
├── NotAffordable        5  no offer within the budget
├── PurchasePending      6  paid or perhaps paid; the outcome is not known yet
├── PurchaseEnded        7  expired, rejected or failed
├── ServerProblem        8  the gateway refused, with a problem document
├── BadDocument          8  the gateway answered something that is not the protocol
├── StoreProblem         9  the grants kept on this machine cannot be read
└── Unreachable         10  no answer
"""


class ApiChargeError(Exception):
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class KeyProblem(ApiChargeError):
    exit_code = 3


class NotTrusted(ApiChargeError):
    exit_code = 4


class InstructionRefused(NotTrusted):
    """`check` names the rule that was broken. Nothing was signed."""

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(
            f"Refused to sign: {detail}",
            "Nothing was signed and nothing paid. Do not use this gateway until you know why.",
        )
        self.check = check


class NotAffordable(ApiChargeError):
    exit_code = 5


class PurchasePending(ApiChargeError):
    exit_code = 6


class PurchaseEnded(ApiChargeError):
    exit_code = 7


class ServerProblem(ApiChargeError):
    exit_code = 8

    def __init__(self, status: int, problem_type: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.problem_type = problem_type


class BadDocument(ApiChargeError):
    exit_code = 8


class StoreProblem(ApiChargeError):
    exit_code = 9


class Unreachable(ApiChargeError):
    exit_code = 10

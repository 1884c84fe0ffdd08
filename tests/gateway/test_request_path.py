"""The request path reads no database: it cannot even name one."""

from pathlib import Path

import pytest

from tests.architecture.source import imports, reached_from

MODULES = ["proxy", "metered", "leasing", "spending", "routing", "challenge", "upstream"]
MODULES += ["relaying", "exchanging", "terms", "uploading", "reservations"]
MODULES += ["identifying", "forwarding", "watching", "listening", "addresses", "conf"]


@pytest.mark.parametrize("module", MODULES)
def test_request_path_imports_no_django(module: str) -> None:
    reached = reached_from(Path(f"gateway/{module}.py"), but=frozenset())
    assert [(str(p), m) for p in reached for _, m in imports(p) if m.startswith("django")] == []

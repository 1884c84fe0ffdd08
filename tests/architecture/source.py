"""The project's own modules and what each of them imports, read from the syntax tree."""

import ast
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
APPS = ["gateway", "accounts", "marketplace", "billing", "apicharge_site"]
"""Each may import those before it."""


def modules(app: str) -> list[Path]:
    paths = (path.relative_to(ROOT) for path in (ROOT / app).rglob("*.py"))
    return sorted(path for path in paths if "migrations" not in path.parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


@cache
def imports(path: Path) -> list[tuple[int, str]]:
    """Every (line, module) imported anywhere in the file, inside functions too."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found += ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
    return found


def importing(paths: Iterable[Path], banned: Callable[[Path, str], bool]) -> list[str]:
    """`FILE:LINE imports MODULE` for every import that is `banned(file, module)`."""
    return [
        f"{path}:{line} imports {module}"
        for path in paths
        for line, module in imports(path)
        if banned(path, module)
    ]


def reached_from(entry: Path, *, but: frozenset[Path]) -> set[Path]:
    """Our own modules that importing `entry` loads, not looking through those in `but`."""
    found: set[Path] = set()
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        if path in found or path in but:
            continue
        found.add(path)
        for _, name in imports(path):
            parts = name.split(".")
            if parts[0] not in APPS:
                continue
            for end in (len(parts), len(parts) - 1):
                candidate = Path(*parts[:end])
                files = (candidate.with_suffix(".py"), candidate / "__init__.py")
                waiting += [file for file in files if (ROOT / file).is_file()]
    return found


ALL = [path for app in APPS for path in modules(app)]
CLIENT = modules("client/apicharge_client")
DOMAIN = [path for path in ALL if path.parts[1] == "domain"]

"""The rooms of the house: who may import whom, no name twice, no long functions."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.invoke import ROOT

# Which rooms the files of a room may import from, besides their own. Scripts, in the root folder, and rdia/ may import all.
MAY_IMPORT = {
    "data": set[str](),
    "influence": set[str](),
    "models": {"data", "influence"},
    "models/devices": {"data", "influence", "models"},
    "run": {"data", "influence", "models", "models/devices"},
    "page": {"data", "influence", "models", "run"},
    "Figure": {"data", "influence", "models", "models/devices", "run"},
}
SHARED_NAMES = {"main", "cli", "parser", "log", "TARGETS"}  # one in each command, module or list of targets
LONGEST = 40  # lines of a function, without its docstring


def room_of(path: Path) -> str:
    """The folder of a file, relative to the root."""
    return path.parent.relative_to(ROOT).as_posix()


FILES = {path: ast.parse(path.read_text()) for room in MAY_IMPORT for path in sorted((ROOT / room).glob("*.py"))}
SCRIPTS = {path: ast.parse(path.read_text()) for path in sorted(ROOT.glob("RDIA*.py"))}


def imported(tree: ast.Module) -> Iterator[Path]:
    """The files of the house that a module imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            candidates = (ROOT.joinpath(*parts[:end]) for end in (len(parts), len(parts) - 1) if end)
            found = (path for base in candidates for path in (base.with_suffix(".py"), base / "__init__.py") if path in FILES)
            yield from list(found)[:1]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    arrows = {(path.name, room_of(other)) for path, tree in FILES.items() if room_of(path) == room for other in imported(tree)}
    assert {(name, other) for name, other in arrows if other not in {room, *MAY_IMPORT[room]}} == set()


def test_no_file_of_a_room_imports_a_script() -> None:
    scripts = {path.stem for path in SCRIPTS}
    for path, tree in FILES.items():
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not names & {*scripts, "tests"}, path


def test_imports_have_no_circle() -> None:
    list(TopologicalSorter({path: set(imported(tree)) - {path} for path, tree in FILES.items()}).static_order())


def defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


def test_no_public_name_is_defined_in_two_modules() -> None:
    where = defaultdict(list)
    for path, tree in (FILES | SCRIPTS).items():
        for name in set(defined(tree)):
            where[name].append(path.relative_to(ROOT).as_posix())
    public = {name for name in where if not name.startswith("_")} - SHARED_NAMES
    assert {name: where[name] for name in public if len(where[name]) > 1} == {}


def length(function: ast.FunctionDef) -> int:
    """The lines of a function, without its docstring."""
    assert function.end_lineno
    first = function.body[0]
    docstring = first if ast.get_docstring(function) is not None else None
    lines = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return function.end_lineno - function.lineno + 1 - lines


def test_no_function_is_long() -> None:
    functions = {
        f"{path.relative_to(ROOT)}: {node.name}": length(node)
        for path, tree in (FILES | SCRIPTS).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: lines for name, lines in functions.items() if lines > LONGEST} == {}


def test_no_two_files_have_one_name() -> None:
    names = Counter(path.name for path in FILES | SCRIPTS)
    assert [name for name, count in names.items() if count > 1 and not name.startswith("__")] == []

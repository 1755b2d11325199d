"""Scripts called in this process, for the tests."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent


class Ended(NamedTuple):
    status: object
    out: str
    err: str


def script(name: str) -> ModuleType:
    """The module of an entry script, whatever its name."""
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), ROOT / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Invoke:
    """`invoke("--flag", value)` does what the command line would."""

    def __init__(self, module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.module, self._name, self._monkeypatch, self._capsys = module, name, monkeypatch, capsys

    def __call__(self, *flags: object) -> Ended:
        self._monkeypatch.setattr(sys, "argv", [self._name, *map(str, flags)])
        status: object = 0
        try:
            self.module.cli()
        except SystemExit as end:
            status = end.code
        return Ended(status, *self._capsys.readouterr())

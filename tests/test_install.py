"""What pip installs: the packages of this repository under `rdia`, and nothing beside it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from Figure.reproduce import MODULES, target
from tests.invoke import ROOT, Ended

IMPORT_ALL = """
import importlib, pkgutil, sys, rdia
for module in pkgutil.walk_packages(rdia.__path__, "rdia."):
    importlib.import_module(module.name)
print(*(name for name in sys.modules if name.partition(".")[0] in ("rdia", "data", "influence", "models", "run", "page", "Figure")))
"""
NAMES = """
import sys, rdia
from rdia import RDIAClassifier
print("torch" in sys.modules)
print(*(f"{getattr(rdia, name).__module__}.{name}" for name in rdia.HOMES))
from rdia.Figure.reproduce import MODULES, target
print(*(target(name).seeds for name in MODULES))
"""


def call(*command: object, **options: object) -> Ended:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    return Ended(done.returncode, done.stdout, done.stderr)


def made(*command: object, **options: object) -> str:
    """What a command that has to succeed prints."""
    return succeeded(call(*command, **options))


def succeeded(ended: Ended) -> str:
    assert ended.status == 0, ended.out + ended.err
    return ended.out


def pip(*words: object) -> str:
    return made(sys.executable, "-m", "pip", *words)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of this repository, as they are now: building leaves others beside them."""
    copy = tmp_path_factory.mktemp("sources")
    listed = made("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT).split("\0")
    for name in filter(None, listed):
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, sources)
    return next(folder.iterdir())


class Installed:
    """The wheel in a folder of its own, within a user's repository, and commands run beside it."""

    def __init__(self, wheel: Path, folder: Path) -> None:
        git = ("git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b")
        made(*git, "init", "--quiet")
        made(*git, "commit", "--quiet", "--allow-empty", "--message", "theirs")
        pip("install", "--no-deps", "--target", folder / "site", wheel)
        self.folder = folder

    def call(self, name: str, *words: object) -> Ended:
        command = sys.executable if name == "python" else self.folder / "site" / "bin" / name
        around = {name: value for name, value in os.environ.items() if name != "RDIA_DATA"}
        around |= {"PYTHONPATH": str(self.folder / "site"), "HOME": str(self.folder / "home")}
        return call(command, *words, cwd=self.folder, env=around)

    def __call__(self, name: str, *words: object) -> str:
        return succeeded(self.call(name, *words))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(wheel, tmp_path_factory.mktemp("installed"))


def test_nothing_is_laid_beside_rdia(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"rdia", "rdia-0.1.0.dist-info"}


def test_every_module_imports_and_takes_no_other_from_outside(installed: Installed, wheel: Path) -> None:
    modules = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in contents(wheel) if name.endswith(".py")
    }
    assert {*installed("python", "-c", IMPORT_ALL).split()} == modules


def test_the_public_names_are_there_and_torch_is_not_loaded_for_them(installed: Installed) -> None:
    torch, names, targets = installed("python", "-c", NAMES).splitlines()
    assert torch == "False"
    assert {"rdia.models.estimator.RDIAClassifier", "rdia.models.logistic_regression.fit_logistic"} <= {*names.split()}
    assert {"rdia.influence.network.network_influence", "rdia.influence.logistic.Fit"} <= {*names.split()}
    assert targets == " ".join(str(target(name).seeds) for name in MODULES)


def test_a_run_gives_what_the_clone_gives(installed: Installed) -> None:
    flags = ("--json", "--alpha", "auto", "--result_dir", "out", "--audit", "page.html")
    found = json.loads(installed("rdia", *flags))
    expected = json.loads(made(sys.executable, ROOT / "RDIA.py", *flags[:3]))
    assert found | {"seconds": 0} == expected | {"seconds": 0}
    assert json.loads((installed.folder / "out" / "results.jsonl").read_text())["commit"] is None  # not of the repository around it
    assert (installed.folder / "page.html").read_text().startswith("<!doctype html>")


def test_a_module_that_is_named_in_a_string_is_found(installed: Installed) -> None:
    ended = installed.call("rdia", "--model", "mlp", "--gpu", 99, "--quiet")
    assert ended.err.startswith("rdia: error: --gpu 99: is not there")  # which is seen after the network's module is imported


def test_help_names_the_commands_and_the_folder_of_an_installation(installed: Installed) -> None:
    out = installed("rdia", "--help")
    assert out.startswith("usage: rdia [")
    assert "\n    rdia --dataset mnist --noise 0.8 " in out
    assert "RDIA.py" not in out
    out = installed("rdia-ls", "--help")
    assert out.startswith("usage: rdia-ls [")
    assert "\n    torchrun --nproc-per-node 2 -m rdia.RDIA_LS --gamma 0.2 " in out
    code = "from rdia.run.flags import default_data_dir; print(default_data_dir())"
    assert installed("python", "-c", code) == f"{installed.folder / 'home' / '.cache' / 'rdia'}\n"


def test_an_sdist_builds_the_same_wheel(sources: Path, wheel: Path, tmp_path: Path) -> None:
    code = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    made(sys.executable, "-c", code, tmp_path, cwd=sources)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path / "wheel", tmp_path / "rdia-0.1.0.tar.gz")
    assert contents(tmp_path / "wheel" / wheel.name) == contents(wheel)


def contents(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_module_that_was_deleted_is_not_in_the_next_wheel(sources: Path, wheel: Path, tmp_path: Path) -> None:
    stale = sources / "build" / "lib" / "rdia" / "stale.py"
    stale.touch()
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, sources)
    assert contents(tmp_path / wheel.name) == contents(wheel)


def test_an_editable_installation_is_refused(sources: Path, tmp_path: Path) -> None:
    code = "import sys; from setuptools.build_meta import build_editable; build_editable(sys.argv[1])"
    ended = call(sys.executable, "-c", code, tmp_path, cwd=sources)
    assert ended.status == 1
    assert ended.err.splitlines()[-1].startswith("rdia: cannot be installed by -e")


@pytest.mark.slow
def test_an_empty_environment_gets_what_linear_models_need_and_no_torch(tmp_path: Path) -> None:
    made(sys.executable, "-m", "venv", tmp_path / "venv")
    there = tmp_path / "venv" / "bin"
    made(there / "python", "-m", "pip", "install", "--quiet", f"git+file://{ROOT}")
    record = json.loads(made(there / "rdia", "--json", cwd=tmp_path))
    assert record["relabeled"] == 137  # as README's demo
    from_python = "from rdia import RDIAClassifier; print(RDIAClassifier(alpha=0.1).alpha)"
    assert made(there / "python", "-c", from_python, cwd=tmp_path) == "0.1\n"
    for command in (("rdia-ls",), ("rdia", "--model", "mlp"), ("rdia", "--gpu", 0)):
        ended = call(there / command[0], *command[1:], "--quiet", cwd=tmp_path)
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.startswith(f"{command[0]}: error: this needs torch, which is not installed: ")
        assert ended.err.count("\n") == 1

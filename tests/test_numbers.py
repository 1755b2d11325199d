"""The commands of the paper print what they printed before their code was last rearranged.

numbers.json has, for each command, what `--json` printed then, without seconds. Names have to be the same; numbers may differ by
1e-6 of their size, and counts by 1e-4, because another processor or another BLAS rounds differently. If that alone fails on a
new machine, the last digits of a fit have moved a sample across a threshold there: compare with the old commit.
"""

import json
import os
import shlex
from pathlib import Path

import pytest

from tests.invoke import ROOT, Invoke, script
from tests.same import leaves

NUMBERS = json.loads((ROOT / "tests" / "numbers.json").read_text())
DATA = Path(os.environ.get("RDIA_DATA", "nowhere"))
FILES = {  # of RDIA_DATA, that a data set needs; the others are in scikit-learn
    "mnist": "MNIST/raw/train-images-idx3-ubyte*",
    "cancer": "libsvm/breast-cancer_scale*",
    "diabetes": "libsvm/diabetes_scale*",
}
RELATIVE, OF_TRAINING = 1e-6, 1e-4  # in training on MNIST one suspect of 52,425 comes and goes with the processor
OF_A_COUNT = 1e-4
OF_A_RESIDUAL = 0.01  # of a network's solve in float32: it differs so much between one thread and two
ABSOLUTE = 1e-8  # a residual of a solve below this is rounding


@pytest.mark.parametrize("name", NUMBERS)
def test_a_command_prints_its_old_numbers(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command, expected = shlex.split(NUMBERS[name]["command"]), NUMBERS[name]["record"]
    files = FILES.get(expected["dataset"])
    if files and not list(DATA.glob(files)):
        pytest.skip(f"RDIA_DATA has no {files}")
    invoke = Invoke(script(command[0].removesuffix(".py")), command[0], monkeypatch, capsys)
    record = json.loads(invoke(*command[1:], "--json", "--quiet").out)
    del record["seconds"]
    found, wanted = dict(leaves(record)), dict(leaves(expected))
    assert list(found) == list(wanted)
    for path, value in wanted.items():
        if isinstance(value, float):
            relative = OF_A_RESIDUAL if path == "/residual" else OF_TRAINING if "LS" in name else RELATIVE
            assert found[path] == pytest.approx(value, rel=relative, abs=ABSOLUTE), path
        elif type(value) is int:
            assert found[path] == pytest.approx(value, rel=OF_A_COUNT, abs=0), path
        else:
            assert found[path] == value, path

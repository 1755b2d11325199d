"""The documents: short, linked, their code runs, and their tables are what the kept lines give."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import dump_svmlight_file, load_breast_cancer, load_digits

from Figure.lines import KEPT_LINES, Store
from Figure.reproduce import MODULES, target
from Figure.reproduce import parser as reproduce_parser
from Figure.tables import documents
from run.flags import Parser
from run.ls_flags import ls_config, ls_parser
from run.rdia_flags import rdia_config, rdia_parser
from run.records import ROOT, write_csv
from tests.benchmarks.write import ALL
from tests.invoke import Invoke, script

MOST_WORDS = 1_200
WRONG = 40  # labels of the samples that the examples are given
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = re.compile(r"<!-- (?P<name>[^/].*?) -->\n(?P<table>.*?)<!-- /(?P=name) -->", re.DOTALL)
LINK = re.compile(r"\]\(([^)]+)\)")


def blocks(language: str) -> list[Any]:
    """All code blocks of a language."""
    found = []
    for page in documents():
        texts = [text for name, text in BLOCK.findall(page.read_text()) if name == language]
        found += [pytest.param(text, id=f"{page.name}-{number}") for number, text in enumerate(texts)]
    return found


def commands() -> list[str]:
    """All lines of shell blocks, without their comments."""
    lines = [line for block in blocks("bash") for line in block.values[0].splitlines()]
    return [text for text in (line.partition("  #")[0].strip() for line in lines) if text]


def test_the_readme_can_be_read_in_minutes() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= MOST_WORDS


@pytest.mark.parametrize("page", documents(), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, link


@pytest.mark.parametrize("page", [page for page in documents() if page.name != "README.md"], ids=lambda page: page.name)
def test_the_readme_names_every_page_and_each_begins_with_what_its_reader_wants(page: Path) -> None:
    assert f"](docs/{page.name})" in (ROOT / "README.md").read_text()
    assert page.read_text().splitlines()[2].startswith("You ")


class Captured:
    """An output that keeps tables and throws pictures away."""

    def __init__(self, folder: Path) -> None:
        self.tables: dict[str, str] = {}
        self._folder = folder

    def table(self, name: str, text: str) -> None:
        self.tables[name] = text

    def picture(self, name: str) -> Path:
        return self._folder / f"{name}.png"


def tables_in_documents() -> dict[str, str]:
    return {name: table.strip() for page in documents() for name, table in MARK.findall(page.read_text())}


@pytest.mark.parametrize("name", MODULES)
def test_the_documents_have_what_the_kept_lines_give(name: str, tmp_path: Path) -> None:
    made, output = target(name), Captured(tmp_path)
    made.show(Store(KEPT_LINES).lines(made.wanted(made.seeds)), output, tmp_path)  # type: ignore[arg-type]
    there = tables_in_documents()
    for table, text in output.tables.items():
        assert there[table] == text.strip()


def test_every_place_for_a_table_has_a_command_that_fills_it(tmp_path: Path) -> None:
    filled = {f"speed {name}" for name in ALL} | {"growth"}
    for name in MODULES:
        output = Captured(tmp_path)
        target(name).show(Store(KEPT_LINES).lines(target(name).wanted(1)), output, tmp_path)  # type: ignore[arg-type]
        filled |= set(output.tables)
    assert set(tables_in_documents()) == filled
    assert all(tables_in_documents().values())


def samples(classes: int) -> dict[str, Any]:
    x, y = load_breast_cancer(return_X_y=True) if classes == 2 else load_digits(return_X_y=True)
    x, y = x / x.max(axis=0).clip(min=1.0), y.copy()
    y[:WRONG] = (y[:WRONG] + 1) % classes
    parts = {"x": x[:200], "y": y[:200], "x_val": x[200:300], "y_val": y[200:300], "x_new": x[300:310]}
    images = [torch.rand(40, 4) for _ in range(2)]
    network = torch.nn.Sequential(torch.nn.Linear(4, 3))
    named = {"images": images[0], "images_val": images[1], "targets": torch.arange(40) % 3, "targets_val": torch.arange(40) % 3}
    return {**parts, **named, "network": network}


@pytest.mark.parametrize("code", blocks("python"))
def test_python_in_the_documents_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.random.seed(0)  # noqa: NPY002 - of the estimator, whose random_state is None
    names = samples(10 if "softmax" in code else 2)
    exec(compile(code, "document", "exec"), names)
    if "orders" in names:
        assert Path("orders.csv").exists()
    elif "model" in names:  # of the estimator's suspects most are wrong, and they are most of the wrong
        assert np.mean(names["suspects"] < WRONG) > 0.6
        assert np.sum(names["suspects"] < WRONG) > 0.6 * WRONG
    elif "scores" in names:
        assert np.mean(names["scores"].phi[:WRONG] > 0) > 0.8
    else:
        assert np.all(names["found"].scores.phi[names["suspects"]] > 0)


def test_the_session_on_a_table_is_what_the_program_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "own-data.md").read_text()
    monkeypatch.chdir(tmp_path)
    exec(
        compile(next(code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "orders" in code), "document", "exec"),
        {},
    )
    command, *shown = re.findall(r"```console\n(.*?)```", page, re.DOTALL)[0].splitlines()
    flags = shlex.split(command.partition("RDIA.py")[2])
    printed = Invoke(script("RDIA"), "RDIA.py", monkeypatch, capsys)(*flags).out.splitlines()
    assert [line for line in shown if line.strip() != "..." and line not in printed] == []


PARSERS = {"RDIA.py": (rdia_parser, rdia_config), "RDIA-LS.py": (ls_parser, ls_config)}


@pytest.mark.parametrize("command", [line for line in commands() if re.search(r"RDIA(-LS)?\.py", line) and "..." not in line])
def test_commands_in_the_documents_have_flags_that_go_together(command: str) -> None:
    name, flags = re.search(r"(RDIA(?:-LS)?\.py)(.*)", command).groups()  # type: ignore[union-attr]
    parse, configure = PARSERS[name]
    parser: Parser = parse()
    assert configure(parser.parse_args(shlex.split(flags)))


@pytest.mark.parametrize("command", [line for line in commands() if "Figure.reproduce" in line])
def test_targets_in_the_documents_exist(command: str) -> None:
    assert reproduce_parser().parse_args(shlex.split(command.partition("Figure.reproduce")[2])).target


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """mine.svm with its test and validation set, mine.npz and mine.csv."""
    monkeypatch.chdir(tmp_path)
    x, y = load_breast_cancer(return_X_y=True)
    x /= x.max(axis=0)
    for name, rows in (("mine.svm", slice(300)), ("mine.svm.val", slice(300, 400)), ("mine.svm.t", slice(400, None))):
        dump_svmlight_file(x[rows], y[rows], name, zero_based=False)
    np.savez("mine.npz", x_train=x[:400], y_train=y[:400])
    write_csv(Path("mine.csv"), [*map(str, range(30)), "label"], np.column_stack([x, y])[:400].tolist())
    return tmp_path


@pytest.mark.parametrize(
    "command", sorted({line for line in commands() if re.search(r"--dataset mine", line) and "--labels" not in line})
)
def test_commands_on_a_users_own_data_run(
    command: str, own_files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, flags = re.search(r"(RDIA(?:-LS)?)\.py(.*)", command).groups()  # type: ignore[union-attr]
    short = ["--n_epoch", "3", "--init_epoch", "2"] if name == "RDIA-LS" else []
    ended = Invoke(script(name), f"{name}.py", monkeypatch, capsys)(*shlex.split(flags), *short)
    assert ended.status == 0, ended.err
    ranked = "out/relabeled.csv" if "--alpha" in flags else "out/ranking.csv"
    written = {"--result_dir": ranked if name == "RDIA" else "out/suspects.csv", "--audit": "page.html"}
    for flag, file in written.items():
        assert (own_files / file).exists() == (flag in flags)

"""Runs that are made once and kept: one after another, on several cores, on several machines, and after a kill."""

import importlib
import json
import subprocess
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pytest

from data.errors import InputError
from Figure import reproduce
from Figure.lines import Run, Shard, Store, config_key
from Figure.sweep import sweep
from Figure.tables import documents
from run.records import Record, read_lines
from tests.cluster import STARTS, running, worker
from tests.invoke import ROOT, Ended, Invoke

METHODS = ("methods", "--seeds", "3", "--data_dir")  # with no public data: two built-in sets, six runs
RESULTS = ("config", "alpha", "relabeled", "methods")  # of a line: all but times and versions


def double(config: Record, _: Path) -> Record:
    return {"value": 2 * config["number"]}


def refuse(_: Path) -> Record:
    raise InputError("no")


def runs(numbers: range) -> list[Run]:
    return [Run("some", {"number": number, "seed": number % 2}, partial(double, {"number": number})) for number in numbers]


def values(store: Store) -> list[int]:
    return sorted(line["value"] for line in store.read("some"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_run_is_made_once_and_kept(jobs: int, tmp_path: Path) -> None:
    store = Store(tmp_path)
    for numbers in (range(4), range(6)):
        sweep(runs(numbers), store, tmp_path, jobs)
    assert values(store) == [0, 2, 4, 6, 8, 10]
    assert (tmp_path / "some.jsonl").read_text().count("\n") == 6
    assert [run.config["number"] for run in store.missing(runs(range(8)))] == [6, 7]


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_ends_before_a_run_fails_is_kept(jobs: int, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(InputError):
        sweep([*runs(range(3)), Run("some", {"number": 9, "seed": 1}, refuse)], store, tmp_path, jobs)
    assert set(values(store)) <= {0, 2, 4}
    if jobs == 1:
        assert values(store) == [0, 2, 4]


def test_a_torn_line_is_made_again_and_of_two_the_last_counts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sweep(runs(range(3)), store, tmp_path)
    path = tmp_path / "some.jsonl"
    path.write_text(path.read_text()[:-5])
    assert len(store.missing(runs(range(3)))) == 1
    sweep(runs(range(3)), store, tmp_path)
    assert values(store) == [0, 2, 4]
    store.append(runs(range(1))[0], {"value": 100})
    assert values(store) == [2, 4, 100]
    assert read_lines(tmp_path / "none") == []


def test_a_changed_setting_makes_anew_what_it_touches_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sweep(runs(range(3)), store, tmp_path)
    changed = [run._replace(config={**run.config, "C": 1}) if number == 1 else run for number, run in enumerate(runs(range(3)))]
    assert store.missing(changed) == [changed[1]]


def test_shards_share_the_runs_and_are_read_together(tmp_path: Path) -> None:
    everything = runs(range(7))
    for number in (1, 2, 3):
        part = Shard(number, 3)
        sweep(part.of(everything), Store(tmp_path, part), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"some.{number}-of-3.jsonl" for number in (1, 2, 3)]
    assert values(Store(tmp_path)) == [2 * number for number in range(7)]
    assert not Store(tmp_path).missing(everything)


def test_the_lines_of_a_target_are_those_with_any_seed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for config in ({"C": 1, "seed": 2}, {"C": 1, "seed": 1}, {"C": 2, "seed": 1}):
        store.append(Run("some", config, refuse), {})
    wanted = [Run("some", {"seed": 1, "C": 1}, refuse)]
    assert [line["config"] for line in store.lines(wanted)] == [{"C": 1, "seed": 1}, {"C": 1, "seed": 2}]
    assert config_key({"b": 1, "a": 2}) == config_key({"a": 2, "b": 1})


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(reproduce, "Figure.reproduce", monkeypatch, capsys)


def call(*flags: object) -> Ended:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "Figure.reproduce", *map(str, flags)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def results(folder: Path) -> list[str]:
    """What the runs in a folder gave, but for times and versions."""
    return sorted(json.dumps([line[name] for name in RESULTS]) for line in Store(folder).read("compare"))


@pytest.mark.slow
def test_two_jobs_and_two_shards_give_what_one_process_gives(tmp_path: Path) -> None:
    empty, one, two, parts = (tmp_path / name for name in ("empty", "one", "two", "parts"))
    assert call(*METHODS, empty, "--result_dir", one) == Ended(0, f"methods: table in {one}/methods.md\n", "")
    assert call(*METHODS, empty, "--result_dir", two, "--jobs", 2) == Ended(0, f"methods: table in {two}/methods.md\n", "")
    for number in (1, 2):
        assert call(*METHODS, empty, "--result_dir", parts, "--shard", f"{number}/2") == Ended(0, "", "")
    assert not (parts / "methods.md").exists()
    assert call(*METHODS, empty, "--result_dir", parts) == Ended(0, f"methods: table in {parts}/methods.md\n", "")
    assert len(results(one)) == 6
    assert results(one) == results(two) == results(parts)
    tables = [(folder / "methods.md").read_text() for folder in (one, two, parts)]
    assert tables[0] == tables[1] == tables[2]
    assert "| wdbc | " in tables[0]
    assert "| mnist | not there |" in tables[0]


def test_a_folder_of_ones_own_gets_everything_and_the_documents_nothing(tmp_path: Path, invoke: Invoke) -> None:
    before = [path.read_text() for path in documents()]
    assert invoke("framework", "noise", "--data_dir", tmp_path / "none", "--result_dir", tmp_path / "out").status == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["framework.png", "noise.md", "noise.png"]
    assert [path.read_text() for path in documents()] == before


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("alpah",), "alpah"),
        (("alpha", "--shard", "3/2"), "3/2"),
        (("alpha", "--shard", "0/2"), "0/2"),
        (("alpha", "--jobs", "0"), "'0'"),
        (("alpha", "--seeds", "some"), "some"),
        (("framework", "--result_dir", "/dev/null/x"), "/dev/null/x"),
        (("methods", "--seeds", "1", "--dask", "nonsense", "--result_dir"), "nonsense"),
    ],
)
def test_bad_input_is_one_line(flags: tuple[str, ...], named: str, tmp_path: Path, invoke: Invoke) -> None:
    if flags[-1] == "--result_dir":
        flags = (*flags, str(tmp_path))
    ended = invoke(*flags, "--data_dir", tmp_path / "none")
    assert ended.status == 2
    assert ended.err.count("\n") == 1
    assert named in ended.err


@pytest.mark.slow
def test_runs_on_a_dask_worker_are_each_kept_and_without_one_it_is_said(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    store = Store(tmp_path)
    with running(tmp_path, 0) as there:
        with pytest.raises(InputError, match=rf"--dask {there.address}: the scheduler has no workers"):
            sweep(runs(range(1)), store, tmp_path, dask=there.address)
        there.workers.append(worker(there.address, tmp_path))
        with distributed.Client(there.address) as client:
            client.wait_for_workers(1, timeout=STARTS)
        for numbers in (range(4), range(6)):
            sweep(runs(numbers), store, tmp_path, dask=there.address)
        with pytest.raises(InputError, match="no"):
            sweep([Run("some", {"number": 9, "seed": 1}, refuse)], store, tmp_path, dask=there.address)
    assert values(store) == [0, 2, 4, 6, 8, 10]


def test_without_dask_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(InputError, match="pip install distributed"):
        sweep(runs(range(1)), Store(tmp_path), tmp_path, dask="tcp://127.0.0.1:8786")


@pytest.mark.slow
def test_a_dask_cluster_gives_what_one_process_gives(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with running(tmp_path, 2) as there:
        ended = call(*METHODS, tmp_path / "none", "--dask", there.address, "--result_dir", tmp_path / "dask")
    assert ended == Ended(0, "", "")
    assert call(*METHODS, tmp_path / "none", "--result_dir", tmp_path / "one").status == 0
    assert results(tmp_path / "dask") == results(tmp_path / "one")


def of_a_gpu(_: Path) -> Record:
    return {"value": 1, "device": "cuda:0"}


def test_a_line_names_its_own_device_and_the_versions_of_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("torch")
    store, config = Store(tmp_path), {"number": 0, "seed": 1}
    sweep([Run("some", config, of_a_gpu)], store, tmp_path)
    (line,) = store.read("some")
    assert line.items() >= {"value": 1, "config": config, "device": "cuda:0", "torch": version("torch")}.items()
    monkeypatch.delitem(sys.modules, "torch")
    sweep(runs(range(1, 2)), store, tmp_path)
    line = store.read("some")[-1]
    assert line["device"] == "cpu"
    assert "torch" not in line


def test_what_is_kept_in_no_folder_is_not_shown(tmp_path: Path, invoke: Invoke) -> None:
    ended = invoke("alpha", "--kept", "--result_dir", tmp_path / "new")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"--result_dir {tmp_path / 'new'}: there is no such folder; give one with kept lines" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["influence", "gamma", "noise"])
def test_a_picture_of_nothing_is_not_drawn(name: str, tmp_path: Path, invoke: Invoke) -> None:
    ended = invoke(name, "--kept", "--result_dir", tmp_path)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == f"Figure.reproduce: error: --kept: no run of {name} is in {tmp_path}; leave --kept out to make the runs\n"
    assert list(tmp_path.iterdir()) == []

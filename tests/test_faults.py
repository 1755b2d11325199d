"""Nothing is lost, and nothing half-written stays: kills, Ctrl-C, full and read-only disks, two writers at once.

The kills are slow. Each test has RDIA_MOMENTS of them (50), at random moments by a fixed seed, over the time of the whole command:

    RDIA_MOMENTS=10 python -m pytest -m slow tests/test_faults.py
"""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from data.errors import InputError
from Figure import reproduce, tables
from Figure.lines import Run, Store
from Figure.sweep import sweep
from Figure.target import Output
from run.checkpoint import read_checkpoint
from run.records import Record, append_line, read_lines
from tests.disks import fill, limited, remount
from tests.forked import Forked
from tests.invoke import ROOT, Invoke, script

MOMENTS = int(os.environ.get("RDIA_MOMENTS", "50"))
PATIENCE = 60  # seconds in which a command has to start its work, and to end after Ctrl-C
SHORT = ("--n_epoch", 14, "--epoch_decay_start", 12, "--init_epoch", 5, "--num_gradual", 5, "--quiet")
METHODS = ("methods", "--seeds", 3, "--data_dir")  # with no public data: two built-in sets, six runs


# --- Kills


def killed(forked: Forked, flags: Sequence[object], folder: Path, seconds: float, check: Callable[[Path], None]) -> list[Path]:
    """Folders in each of which the command has been killed and gone on, until it ended; `check` is called after every kill."""
    rng, kills, folders = random.Random(1), 0, [folder / "0"]
    while kills < MOMENTS:
        status = forked([*flags, folders[-1]], rng.uniform(0, seconds))
        assert status in {0, -signal.SIGKILL}
        kills += status != 0
        check(folders[-1])
        if status == 0:
            folders.append(folder / str(len(folders)))
    assert forked([*flags, folders[-1]]) == 0
    return folders


def without(record: Any, *names: str) -> str:
    """A record to its last digit, but for what names say."""
    return json.dumps({name: value for name, value in record.items() if name not in names})


def lines(path: Path, *but: str) -> list[str]:
    """Whole lines of a file; no more than one in it is torn."""
    found = read_lines(path)
    assert len(path.read_bytes().splitlines() if path.exists() else []) - len(found) <= 1
    return [without(record, "seconds", *but) for record in found]


def whole_picture(path: Path) -> None:
    assert not path.exists() or path.read_bytes()[-8:-4] == b"IEND"


def names(folder: Path) -> set[str]:
    """The files in a folder, without hidden ones: the lock, and the parts that a kill leaves."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")} if folder.exists() else set()


def training(folder: Path) -> tuple[object, ...]:
    """What a training leaves, but for its seconds."""
    kept = read_checkpoint(folder)
    assert kept
    state = io.BytesIO()
    torch.save(kept.state, state)
    epochs, results = lines(folder / "epochs.jsonl"), lines(folder / "results.jsonl")
    told = [without(line, "seconds") for line in kept.lines]
    made = [(folder / name).read_bytes() for name in ("curve.png", "suspects.csv")]
    return epochs, told, results, state.getvalue(), made, names(folder)


def check_training(folder: Path) -> None:
    read_checkpoint(folder)
    lines(folder / "epochs.jsonl")
    lines(folder / "results.jsonl")
    whole_picture(folder / "curve.png")
    assert names(folder) <= {"checkpoint.pt", "curve.png", "epochs.jsonl", "results.jsonl", "suspects.csv"}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["released", "fast"])
def test_a_training_killed_at_any_moment_goes_on_to_the_bytes_of_one_never_killed(recipe: str, tmp_path: Path) -> None:
    flags = [*SHORT, "--recipe", recipe, "--resume", "--result_dir"]
    with Forked("RDIA-LS") as forked:
        forked([*flags, tmp_path / "first"])
        seconds = forked.seconds([*flags, tmp_path / "whole"])
        folders = killed(forked, flags, tmp_path / "killed", seconds, check_training)
    whole = training(tmp_path / "whole")
    assert all(training(folder) == whole for folder in folders)


def table(folder: Path) -> tuple[object, ...]:
    """What a sweep leaves, but for times: each run's last line, in no order."""
    kept = Store(folder).read("compare")
    return sorted(without(line, "seconds", "torch") for line in kept), (folder / "methods.md").read_text(), names(folder)


def check_table(folder: Path) -> None:
    lines(folder / "compare.jsonl")
    assert not (folder / "methods.md").exists() or (folder / "methods.md").read_text().endswith("|\n")
    assert names(folder) <= {"compare.jsonl", "methods.md"}


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_killed_at_any_moment_goes_on_to_the_table_of_one_never_killed(jobs: int, tmp_path: Path) -> None:
    flags = [*METHODS, tmp_path / "none", "--jobs", jobs, "--result_dir"]
    with Forked("reproduce") as forked:
        forked([*flags, tmp_path / "first"])
        seconds = forked.seconds([*flags, tmp_path / "whole"])
        folders = killed(forked, flags, tmp_path / "killed", seconds, check_table)
    whole = table(tmp_path / "whole")
    assert len(whole[0]) == 6  # type: ignore[arg-type]
    assert all(table(folder) == whole for folder in folders)


# --- Ctrl-C


def interrupted(command: Sequence[object], ready: Callable[[], bool]) -> list[str]:
    """What a command prints on standard error if Ctrl-C, sent to it and to all that it has started, comes once it is ready."""
    running = subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    begin = time.monotonic()
    while not ready():
        assert running.poll() is None
        assert time.monotonic() - begin < PATIENCE
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (130, b"")
    return err.decode().splitlines()


@pytest.mark.slow
def test_ctrl_c_ends_a_training_in_one_line_that_says_how_to_continue(tmp_path: Path) -> None:
    flags = ["RDIA-LS.py", "--n_epoch", 100_000, "--result_dir", tmp_path, "--json"]
    said = interrupted(flags, (tmp_path / "checkpoint.pt").exists)
    assert said == ["RDIA-LS.py: interrupted; add --resume to go on if --result_dir was given"]
    check_training(tmp_path)


@pytest.mark.slow
def test_ctrl_c_ends_a_run_of_rdia_in_one_line(tmp_path: Path) -> None:
    data = tmp_path / "a.svm"
    data.write_text("1 1:1 2:0.5\n0 1:2 3:1\n" * 300_000)  # takes a second and more to parse
    said = interrupted(["RDIA.py", "--dataset", data, "--result_dir", tmp_path / "out"], (tmp_path / "out").exists)
    assert said == ["RDIA.py: interrupted; run the same command again"]
    assert names(tmp_path) == {"a.svm", "out"}
    assert names(tmp_path / "out") == set()


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_a_sweep_in_one_line_and_what_has_ended_is_kept(jobs: int, tmp_path: Path) -> None:
    """With two processes joblib adds a warning or two, but no traceback."""
    flags = ["-m", "Figure.reproduce", "methods", "--seeds", 1000, "--jobs", jobs, "--data_dir", tmp_path / "none"]
    said = interrupted([*flags, "--result_dir", tmp_path], (tmp_path / "compare.jsonl").exists)
    assert said.count("Figure.reproduce: interrupted; the same command continues") == 1
    assert len(said) <= (1 if jobs == 1 else 5)
    assert not any("Traceback" in line for line in said)
    assert lines(tmp_path / "compare.jsonl")
    assert names(tmp_path) == {"compare.jsonl"}


# --- Disks


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 128 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip("a disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def text_of(config: Record, _: Path) -> Record:
    return {"value": config["number"], "text": "x" * 9000}


def runs(count: int) -> list[Run]:
    configs = [{"number": number, "seed": number} for number in range(count)]
    return [Run("some", config, partial(text_of, config)) for config in configs]


def test_a_line_that_found_room_for_a_part_of_itself_is_reported_and_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    append_line(path, {"seed": 1})
    with limited(20), pytest.raises(InputError, match=r"results\.jsonl: cannot be written \(File too large\); make room"):
        append_line(path, {"seed": 2})
    append_line(path, {"seed": 3})
    assert path.read_text() == '{"seed": 1}\n{"seed":\n{"seed": 3}\n'
    assert read_lines(path) == [{"seed": 1}, {"seed": 3}]


def test_a_sweep_on_a_full_disk_keeps_what_has_ended_and_goes_on_when_there_is_room(disk: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"some\.jsonl: cannot be written \(No space left on device\); make room"):
        sweep(runs(20), Store(disk), tmp_path)
    kept = lines(disk / "some.jsonl")
    assert 10 < len(kept) < 20  # of 9 kB each
    remount(disk, "size=1m")
    sweep(runs(20), Store(disk), tmp_path)
    assert lines(disk / "some.jsonl")[: len(kept)] == kept
    assert [line["value"] for line in Store(disk).read("some")] == list(range(20))


def test_a_table_on_a_full_disk_is_one_line_and_leaves_the_old_one(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = disk / "page.md"
    page.write_text("<!-- a -->\n<!-- /a -->\n")
    monkeypatch.setattr(tables, "documents", lambda: [page])
    outputs = {"a.md": Output(disk, own=True), "page.md": Output(disk, own=False)}
    for output in outputs.values():
        output.table("a", "old")
    fill(disk)
    for name, output in outputs.items():
        with pytest.raises(InputError, match=rf"/{name}: cannot be written \(No space left on device\); make room"):
            output.table("a", "new" * 10_000)
    assert (disk / "a.md").read_text() == "old\n"
    assert page.read_text() == "<!-- a -->\nold\n<!-- /a -->\n"
    assert not list(disk.glob(".*"))


@pytest.fixture
def rdia(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(script("RDIA"), "RDIA.py", monkeypatch, capsys)


def test_a_run_whose_results_find_no_room_is_one_line_and_the_next_has_all(disk: Path, rdia: Invoke) -> None:
    flags = ("--dataset", "digits", "--quiet", "--result_dir", disk)
    filled = fill(disk)
    ended = rdia(*flags)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"{disk}/audit.npz: cannot be written (No space left on device); make room" in ended.err
    assert list(disk.iterdir()) == [filled]
    filled.unlink()
    remount(disk, "size=2m")
    assert rdia(*flags).status == 0
    assert len(lines(disk / "results.jsonl")) == 1


def test_a_read_only_disk_is_one_line_with_the_flag(disk: Path, rdia: Invoke) -> None:
    remount(disk, "ro")
    ended = rdia("--result_dir", disk)
    expected = f"RDIA.py: error: --result_dir {disk}: cannot be written (Read-only file system); give a folder that can be\n"
    assert (ended.status, ended.out, ended.err) == (2, "", expected)
    with pytest.raises(InputError, match=r"some\.jsonl: cannot be written \(Read-only file system\)"):
        append_line(disk / "some.jsonl", {})


def test_a_file_of_lines_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "some.jsonl").mkdir()
    with pytest.raises(InputError, match=r"some\.jsonl: cannot be read \(Is a directory\), expected"):
        Store(tmp_path).read("some")


def test_bytes_that_are_not_text_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"seed": 1}\n{"seed": "\xff"}\n{"seed": 2}\n')  # 0xff is in no UTF-8, -16 or -32 of this length
    assert read_lines(tmp_path / "a") == [{"seed": 1}, {"seed": 2}]


# --- Two at once

APPEND = """
import sys; from pathlib import Path; from run.records import append_line
for number in range(int(sys.argv[3])):
    append_line(Path(sys.argv[1]), {"who": int(sys.argv[2]), "number": number, "text": "x" * 9000})
"""


@pytest.mark.parametrize("count", [50, pytest.param(2000, marks=pytest.mark.slow)])
def test_two_that_append_to_one_file_lose_no_line(count: int, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"torn": ')
    commands = [[sys.executable, "-c", APPEND, str(path), str(who), str(count)] for who in (0, 1)]
    processes = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    assert [process.wait() for process in processes] == [0, 0]
    for who in (0, 1):
        assert [line["number"] for line in read_lines(path) if line["who"] == who] == list(range(count))


@pytest.mark.slow
def test_two_sweeps_of_one_folder_and_two_runs_in_another_lose_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    sweeps = [["-m", "Figure.reproduce", *METHODS, tmp_path / "none", "--result_dir", two]] * 2
    single = [["RDIA.py", "--quiet", "--dataset", "digits", "--seed", seed, "--result_dir", one] for seed in range(4)]
    for commands in (sweeps, single):
        started = [
            subprocess.Popen([sys.executable, *map(str, command)], cwd=ROOT, stdout=subprocess.DEVNULL) for command in commands
        ]
        assert {process.wait() for process in started} == {0}
    assert sorted(line["seed"] for line in read_lines(one / "results.jsonl")) == [0, 1, 2, 3]
    monkeypatch.setattr(
        sys, "argv", ["Figure.reproduce", *map(str, METHODS), str(tmp_path / "none"), "--result_dir", str(tmp_path / "alone")]
    )
    reproduce.cli()
    assert table(two) == table(tmp_path / "alone")

"""RDIA-LS.py end to end."""

import json
import re
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data.files import only_writer
from models.settings import METHODS
from run.checkpoint import read_checkpoint, save_checkpoint
from run.ls_flags import flag_notes, ls_config, ls_parser
from run.ls_folder import save_training
from run.rdia_ls import lost_classes
from tests.invoke import ROOT, Invoke

SHORT = ("--n_epoch", 14, "--epoch_decay_start", 12, "--init_epoch", 5, "--num_gradual", 5)
KEYS = {
    *("dataset", "method", "noise_rate", "noise_type", "gamma", "objective", "seed", "epochs", "test_accuracy", "last10", "best"),
    *("test_recall", "clean_share_kept", "wrong_share_relabeled", "seconds", "classes", "suspects", "precision", "recall"),
}


SCRIPT = "RDIA-LS"  # what `invoke` calls


def record(text: str) -> dict[str, Any]:
    """The object that --json prints, without its seconds."""
    return {key: value for key, value in json.loads(text).items() if key != "seconds"}


def test_the_first_command_of_a_newcomer_learns_the_digits() -> None:
    command = [sys.executable, "RDIA-LS.py", "--gamma", "0.2", "--n_epoch", "60", "--epoch_decay_start", "30", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stderr == ""
    result = json.loads(ended.stdout)
    assert set(result) == KEYS
    assert result["test_accuracy"][0] < 30  # the untrained network
    assert result["last10"] > 80  # with 40% of the labels wrong
    assert result["clean_share_kept"] > 0.9
    assert result["wrong_share_relabeled"] > 0.6


def test_json_sums_up_its_own_list(invoke: Invoke) -> None:
    result = json.loads(invoke(*SHORT, "--json").out)
    assert len(result["test_accuracy"]) == result["epochs"] == 14
    assert result["last10"] == pytest.approx(np.mean(result["test_accuracy"][-10:]))
    assert result["best"] == max(result["test_accuracy"])
    assert len(result["test_recall"]) == 10


@pytest.mark.parametrize(("epochs", "counted"), [(1, slice(0, 1)), (4, slice(1, 4))])
def test_the_untrained_network_does_not_count(epochs: int, counted: slice, invoke: Invoke) -> None:
    result = json.loads(invoke("--n_epoch", epochs, "--epoch_decay_start", 0, "--json").out)
    assert result["last10"] == pytest.approx(np.mean(result["test_accuracy"][counted]))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(invoke: Invoke) -> None:
    first, second, other = (record(invoke(*SHORT, "--json", "--seed", seed).out) for seed in (3, 3, 4))
    assert json.dumps(first) == json.dumps(second)
    assert first["test_accuracy"] != other["test_accuracy"]


@pytest.mark.parametrize(
    "flags", [*(("--method", name) for name in METHODS[1:]), ("--objective", "corrected"), ("--warmup", "balanced")]
)
def test_what_it_is_compared_with_runs_and_differs(flags: tuple[str, str], invoke: Invoke) -> None:
    assert record(invoke(*SHORT, *flags, "--json").out)["test_accuracy"] != record(invoke(*SHORT, "--json").out)["test_accuracy"]


def test_a_result_directory_holds_lines_curve_and_checkpoint(tmp_path: Path, invoke: Invoke) -> None:
    out = tmp_path / "out"
    printed = record(invoke(*SHORT, "--result_dir", out, "--json").out)
    assert {path.name for path in out.iterdir()} == {
        *("audit.npz", "checkpoint.pt", "curve.png", "epochs.jsonl", "results.jsonl", "suspects.csv", ".lock")
    }
    epochs = [json.loads(line) for line in (out / "epochs.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in epochs] == list(range(14))
    assert [epoch["test_accuracy"] for epoch in epochs] == printed["test_accuracy"]
    assert set(epochs[0]) == {
        *("epoch", "train_loss", "test_accuracy", "test_recall", "clean_share_kept", "wrong_share_relabeled", "seconds")
    }
    line = json.loads((out / "results.jsonl").read_text())
    assert {key: line[key] for key in printed} == printed
    assert line["config"]["forget_rate"] == 0.4


def test_a_line_names_the_device_of_its_run_and_torch(tmp_path: Path, invoke: Invoke) -> None:
    config = ls_config(ls_parser().parse_args(list(map(str, SHORT))))
    printed = json.loads(invoke(*SHORT, "--json").out)
    for device in ("cpu", "cuda:1"):
        (tmp_path / device).mkdir()
        save_training(printed, config, device, tmp_path / device)
        line = json.loads((tmp_path / device / "results.jsonl").read_text())
        assert (line["device"], line["torch"]) == (device, version("torch"))


@pytest.mark.parametrize("stop", [1, 7, 13])
@pytest.mark.parametrize("recipe", ["released", "fast"])
def test_an_interrupted_run_resumes_to_the_metrics_of_a_whole_one(
    stop: int, recipe: str, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = (*SHORT, "--recipe", recipe, "--result_dir", tmp_path / "out", "--json")
    whole = record(invoke(*flags[:-3], "--json").out)

    def interrupt(*_: object, done: list[int] = []) -> None:  # noqa: B006
        done.append(1)
        if len(done) == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr(invoke.module.Watch, "__call__", interrupt)
    ended = invoke(*flags)
    assert ended.status == 130
    assert "--resume" in ended.err
    monkeypatch.setattr(invoke.module.Watch, "__call__", lambda *_: None)
    refused = invoke(*flags)
    assert refused.status == 2
    assert f"epoch {stop} of 14" in refused.err
    assert record(invoke(*flags, "--resume").out) == whole
    assert len((tmp_path / "out" / "epochs.jsonl").read_text().splitlines()) == 14


@pytest.mark.parametrize(
    ("flag", "value"), [("gamma", 0.3), ("seed", 2), ("noise_rate", 0.2), ("warmup", "balanced"), ("network", "mlp")]
)
def test_a_checkpoint_of_another_run_is_refused_by_the_flag(flag: str, value: object, tmp_path: Path, invoke: Invoke) -> None:
    invoke(*SHORT, "--result_dir", tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    ended = invoke(*SHORT, "--result_dir", tmp_path, "--resume", f"--{flag}", value)
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert f"--{flag} {value}" in ended.err
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_run_whose_data_has_changed_is_not_gone_on_with(tmp_path: Path, invoke: Invoke) -> None:
    """Labels mended meanwhile, say: what is there is of the others, and not printed as if it were of these."""
    x, labels = np.random.default_rng(0).random((150, 4, 4)), np.arange(150) % 3
    path, out = tmp_path / "mine.npz", tmp_path / "out"
    flags = ("--dataset", path, "--n_epoch", 2, "--init_epoch", 1, "--result_dir", out, "--quiet", "--resume")
    np.savez(path, x_train=x, y_train=labels, x_test=x, y_test=labels)
    assert invoke(*flags).status == 0
    before = (out / "checkpoint.pt").read_bytes()
    for x_changed, changed in ((x, np.roll(labels, 1)), (x[::-1], labels)):
        np.savez(path, x_train=x_changed, y_train=changed, x_test=x, y_test=labels)
        ended = invoke(*flags)
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert f"--dataset {path}: is not the data of the run in {out}, or has changed; give another" in ended.err
        assert (out / "checkpoint.pt").read_bytes() == before
    np.savez(path, x_train=x, y_train=labels, x_test=x, y_test=labels)
    (tmp_path / "link.npz").symlink_to(path)
    printed = invoke("--dataset", tmp_path / "link.npz", *flags[2:])  # the same file by another path
    assert (printed.status, (out / "results.jsonl").read_text().count("\n")) == (0, 1)
    assert invoke(*flags).out == printed.out.replace("link.npz", "mine.npz")
    refused = invoke(*flags[2:])
    assert f"--dataset digits: the run in {out} has {path}; give that" in refused.err


def test_a_folder_in_which_another_run_writes_is_refused_and_stays(tmp_path: Path, invoke: Invoke) -> None:
    with only_writer(tmp_path, "--result_dir"):
        ended = invoke(*SHORT, "--result_dir", tmp_path)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"--result_dir {tmp_path}: another run writes there" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_checkpoint_of_another_networks_weights_is_refused(tmp_path: Path, invoke: Invoke) -> None:
    invoke(*SHORT, "--result_dir", tmp_path)
    kept = read_checkpoint(tmp_path)
    assert kept
    kept.state["network"].popitem()
    save_checkpoint(tmp_path, kept)
    ended = invoke(*SHORT, "--result_dir", tmp_path, "--resume")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "checkpoint.pt: is damaged, or was written by another version; remove it to start again" in ended.err


def test_resuming_a_finished_run_prints_it_again(tmp_path: Path, invoke: Invoke) -> None:
    first = record(invoke(*SHORT, "--result_dir", tmp_path, "--json").out)
    curve = (tmp_path / "curve.png").read_bytes()
    (tmp_path / "curve.png").unlink()  # as a kill after the line leaves it
    assert record(invoke(*SHORT, "--result_dir", tmp_path, "--json", "--resume").out) == first
    assert (tmp_path / "results.jsonl").read_text().count("\n") == 1
    assert (tmp_path / "curve.png").read_bytes() == curve


def test_a_full_disk_leaves_the_last_checkpoint_intact(tmp_path: Path, invoke: Invoke) -> None:
    """That of epoch 0, 86 kB, finds room; with Adam's moments the next, 243 kB, does not."""
    flags = (*SHORT, "--json", "--result_dir", tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))
    try:
        ended = invoke(*flags)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "checkpoint.pt: cannot be written (File too large); the one before it is intact" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "checkpoint.pt", "epochs.jsonl"}
    assert record(invoke(*flags, "--resume").out) == record(invoke(*SHORT, "--json").out)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("evil"),)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", "truncated", "pickle", "keys"])
def test_a_damaged_checkpoint_is_refused_and_never_run(
    content: bytes | str, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    invoke(*SHORT, "--result_dir", tmp_path)
    path = tmp_path / "checkpoint.pt"
    if content == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif content == "pickle":
        torch.save({"config": Evil()}, path)
    elif content == "keys":
        torch.save({"config": "{}"}, path)
    else:
        path.write_bytes(content)  # type: ignore[arg-type]
    ended = invoke(*SHORT, "--result_dir", tmp_path, "--resume")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "checkpoint.pt" in ended.err
    assert not (tmp_path / "evil").exists()


def test_a_class_that_is_lost_is_named_in_a_warning(tmp_path: Path, invoke: Invoke) -> None:
    """Class 2 has features of class 1 and half its samples: its losses are never among the smallest."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.zeros(200), np.ones(200), np.full(60, 2)]).astype(int)
    x = rng.random((460, 6)) / 3 + np.eye(6)[np.minimum(labels, 1)]
    names = np.array(["cat", "dog", "owl"])[labels]
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=names, x_test=x, y_test=names)
    flags = ("--dataset", tmp_path / "mine.npz", "--warmup", "released", "--noise_rate", 0.3, "--n_epoch", 12, "--init_epoch", 5)
    assert "class owl: the test recall was below 5% in the last 5 epochs; try --warmup balanced" in (said := invoke(*flags).err)
    assert said.count("class owl") == 1
    assert invoke(*flags, "--quiet").err == ""


def test_a_new_run_takes_away_what_an_earlier_one_has_left(tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    invoke(*SHORT, "--result_dir", tmp_path)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    refused = invoke(*SHORT, "--seed", 2, "--result_dir", tmp_path)
    remedy = f"add --resume to print it, give another folder, or remove {tmp_path / 'checkpoint.pt'}"
    assert (refused.status, refused.err) == (2, f"RDIA-LS.py: error: --result_dir {tmp_path}: holds a finished run; {remedy}\n")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
    (tmp_path / "checkpoint.pt").unlink()
    before = (tmp_path / "results.jsonl").read_bytes()
    interrupt = iter([None, KeyboardInterrupt()])

    def after_one(*_: object) -> None:
        if error := next(interrupt):
            raise error

    monkeypatch.setattr(invoke.module.Watch, "__call__", after_one)
    assert invoke(*SHORT, "--seed", 2, "--result_dir", tmp_path).status == 130
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "checkpoint.pt", "epochs.jsonl", "results.jsonl"}
    assert (tmp_path / "results.jsonl").read_bytes() == before


def test_rows_taken_for_the_test_and_runs_that_only_warm_up_are_told(tmp_path: Path, invoke: Invoke) -> None:
    x, labels = np.random.default_rng(0).random((300, 16)), np.arange(300) % 3
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=labels)
    flags = ("--dataset", tmp_path / "mine.npz", "--noise_rate", 0.2, "--init_epoch", 3, "--n_epoch")
    said = invoke(*flags, 3).err
    assert said.startswith(
        "note: --n_epoch 3: the run ends within the warm-up of 3 epochs\nnote: 60 of your own rows are used as test rows, with"
    )
    assert said.count("\n") == 2
    assert invoke(*flags, 3, "--quiet").err == ""
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=labels, x_test=x + 0.01, y_test=labels)
    assert invoke(*flags, 4).err == ""


def test_a_log_says_how_many_pictures_are_read(tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        folder = tmp_path / "pics" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), number, dtype=np.uint8)).save(folder / f"{number}.png")
    monkeypatch.setattr("models.progress.LOG_SECONDS", 0.0)
    flags = ("--dataset", tmp_path / "pics", "--noise_rate", 0.2, "--n_epoch", 2, "--init_epoch", 1, "--batch_size", 10)
    said = re.findall(r"^0 of 2 epochs, (.*), \d\d:\d\d so far$", invoke(*flags).err, re.MULTILINE)
    assert said[:6] == [f"{done} of 50 pictures" for done in (20, 40, 50)] * 2
    assert invoke(*flags, "--quiet").err == ""


def test_a_user_is_told_of_labels_that_were_flipped_on_purpose() -> None:
    def told(*words: str) -> list[str]:
        flags = ls_parser().parse_args(words)
        return flag_notes(flags, ls_config(flags).settings)

    note = "about {} of your training labels were flipped on purpose; add --noise_type none to keep them as they are"
    assert told("--dataset", "mine.npz", "--noise_rate", "0.4", "--noise_type", "symmetric") == [note.format("40%")]
    assert told("--dataset", "mine.npz", "--noise_rate", "0.2", "--noise_type", "pairflip") == [note.format("20%")]
    assert told("--dataset", "mine.npz") == told("--dataset", "mine.npz", "--noise_rate", "0") == []
    assert told("--dataset", "mnist") == told() == []


def test_no_more_samples_are_discarded_than_are_not_kept(invoke: Invoke) -> None:
    ended = invoke("--forget_rate", 0.2, "--discard_rate", 0.5)
    message = "is above the forget rate, 0.2: only samples that are not kept as clean are discarded; give at most 0.2"
    assert (ended.status, ended.err) == (2, f"RDIA-LS.py: error: --discard_rate 0.5: {message}\n")
    settings = ls_config(ls_parser().parse_args(["--method", "erm", "--forget_rate", "0.2", "--discard_rate", "0.5"])).settings
    assert (settings.forget_rate, settings.discard_rate) == (0.2, 0.5)


def test_lost_classes_are_those_under_5_per_cent_throughout() -> None:
    assert lost_classes([[4.9, 0.0, 90.0, None], [0.0, 5.0, 2.0, None]]) == [0]


def test_of_labels_as_they_are_nothing_is_claimed(invoke: Invoke) -> None:
    result = record(invoke(*SHORT, "--noise_type", "none", "--noise_rate", 0.3, "--json").out)
    assert result["clean_share_kept"] is None
    assert result["wrong_share_relabeled"] is None
    text = invoke(*SHORT, "--noise_type", "none", "--noise_rate", 0.3).out
    assert "labels as given, 30% of them assumed wrong" in text
    assert "share of the" not in text


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path, invoke: Invoke) -> None:
    ended = invoke(*SHORT, "--lr", 1e30, "--json", "--result_dir", tmp_path)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "--lr 1e+30" in ended.err


def test_resuming_where_there_is_nothing_begins_and_says_so(tmp_path: Path, invoke: Invoke) -> None:
    ended = invoke(*SHORT, "--result_dir", tmp_path / "new", "--resume")
    assert ended.status == 0
    assert "no checkpoint" in ended.err


def test_flags_that_have_no_meaning_any_more_say_so_once(invoke: Invoke) -> None:
    ended = invoke(*SHORT, "--print_freq", 50, "--num_workers", 4, "--model_type", "coteaching", "--fr_type", "type_1")
    assert ended.status == 0
    assert ended.err.count("ignored") == 1
    assert all(name in ended.err for name in ("--print_freq", "--num_workers", "--model_type", "--fr_type"))


def test_every_flag_of_the_released_script_is_taken(invoke: Invoke) -> None:
    flags = {
        "lr": 0.001,
        "noise_rate": 0.2,
        "forget_rate": 0.2,
        "noise_type": "pairflip",
        "num_gradual": 5,
        "dataset": "digits",
        "n_epoch": 3,
        "optimizer": "adam",
        "seed": 1,
        "gamma": 0.2,
        "weight_decay": 0.00001,
        "print_freq": 50,
        "num_workers": 4,
        "epoch_decay_start": 2,
        "model_type": "coteaching_plus",
        "fr_type": "type_1",
    }
    assert invoke(*(word for name, value in flags.items() for word in (f"--{name}", value))).status == 0


BAD = {
    "a noise rate of one": ("--noise_rate", 1),
    "a negative forget rate": ("--forget_rate", -0.1),
    "a discard rate that is no number": ("--discard_rate", "x"),
    "gamma above one": ("--gamma", 1.1),
    "gamma nan": ("--gamma", "nan"),
    "no epochs": ("--n_epoch", 0),
    "an unknown method": ("--method", "decoupling"),
    "an unknown data set": ("--dataset", "imagenet"),
    "a GPU that is not there": ("--gpu", 97),
    "resume without a directory": ("--resume",),
    "a batch larger than the data": ("--batch_size", 5000),
    "a network too deep for the pictures": ("--network", "cnn", "--dataset", "tiny"),
}


@pytest.mark.parametrize("flags", BAD.values(), ids=BAD)
def test_a_bad_flag_is_one_line_and_status_2(flags: tuple[object, ...], tmp_path: Path, invoke: Invoke) -> None:
    np.savez(tmp_path / "tiny.npz", x_train=np.zeros((200, 4, 4)), y_train=np.arange(200) % 2)
    ended = invoke(*(tmp_path / "tiny.npz" if word == "tiny" else word for word in flags), "--json")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert str(flags[0]) in ended.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("has", [True, False])
def test_amp_computes_in_bfloat16_on_a_cpu_and_says_where_it_gains_nothing(
    has: bool, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has}, raising=False)
    plain, fast = (invoke(*SHORT, "--json", *flags) for flags in ((), ("--amp",)))
    assert (fast.status, "it gains nothing" in fast.err) == (0, not has)
    assert 0 < abs(json.loads(plain.out)["last10"] - json.loads(fast.out)["last10"]) < 5


def test_augment_is_for_pictures(tmp_path: Path, invoke: Invoke) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", x_train=rng.random((200, 5)), y_train=np.arange(200) % 2)
    ended = invoke("--dataset", tmp_path / "rows.npz", "--augment", "crop")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "--augment crop: is for pictures, and" in ended.err
    ended = invoke(*SHORT, "--augment", "both")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "--augment both: moves pictures by up to 4 pixels, and these are 8 by 8; give flip, or none" in ended.err
    flags = (*SHORT, "--augment", "flip", "--json")
    first = record(invoke(*flags, "--result_dir", tmp_path / "out").out)
    assert first == record(invoke(*flags).out) != record(invoke(*SHORT, "--json").out)
    refused = invoke(*SHORT, "--result_dir", tmp_path / "out", "--resume")
    assert (refused.status, "--augment none: the run in" in refused.err) == (2, True)


def test_a_result_directory_that_cannot_be_written_is_found_before_the_work(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "file").write_text("")
    ended = invoke("--result_dir", tmp_path / "file" / "out")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "--result_dir" in ended.err


def test_a_file_that_networks_do_not_train_on_is_said_to_be_there(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "mine.svm").write_text("1 1:1\n")
    ended = invoke("--dataset", tmp_path / "mine.svm")
    assert ended.status == 2
    assert "mine.svm: is neither an .npz file nor a folder of pictures" in ended.err

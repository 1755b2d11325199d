"""RDIA.py end to end: as a process where that is the point, in this process where it is not."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file, load_digits, load_wine

import RDIA
import run.rdia
from run.rdia_flags import rdia_config, rdia_parser
from run.rdia_folder import save_outcome
from run.stages import Stages
from tests.invoke import ROOT, Invoke

KEYS = [
    "dataset",
    "noise",
    "alpha",
    "seed",
    "n_train",
    "n_validation",
    "n_test",
    "relabeled",
    "precision",
    "recall",
    "relabel",
    "classes",
    "right",
    "methods",
    "seconds",
    "model",
    "residual",
]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(RDIA, "RDIA.py", monkeypatch, capsys)


def process(*flags: object, code: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(["-c", code] if code else [str(ROOT / "RDIA.py")]), *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def without_seconds(text: str) -> dict[str, Any]:
    return {key: value for key, value in json.loads(text).items() if key != "seconds"}


def test_the_first_command_of_a_newcomer_repairs_built_in_data() -> None:
    ended = process()
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert "wdbc, noise 0.4 (127 of 319 training labels flipped)" in ended.stdout
    losses = {line.split()[0]: float(line.split()[4]) for line in ended.stdout.splitlines() if line[:4] in {"ERM ", "RDIA"}}
    assert losses["RDIA"] < losses["ERM"] / 2


def test_json_is_exactly_one_object_with_the_documented_keys() -> None:
    ended = process("--dataset", "digits", "--json")
    assert ended.stdout.count("\n") == 1
    record = json.loads(ended.stdout)
    assert list(record) == KEYS
    assert list(record["methods"]) == ["ERM", "Random", "Dropout", "RDIA"]
    for splits in record["methods"].values():
        assert list(splits) == ["validation", "test"]
        assert all(list(metrics) == ["log_loss", "accuracy", "auc"] for metrics in splits.values())
    assert (record["n_train"], record["n_validation"], record["n_test"]) == (202, 87, 72)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(invoke: Invoke) -> None:
    first, second, other = (without_seconds(invoke("--json", "--seed", seed)[1]) for seed in (3, 3, 4))
    assert json.dumps(first) == json.dumps(second)
    assert first["methods"] != other["methods"]


def test_torch_is_not_imported() -> None:
    code = "import sys, RDIA; sys.argv = ['RDIA.py', '--quiet']; RDIA.main(); sys.exit('torch' in sys.modules)"
    assert process(code=code).returncode == 0


def test_a_huge_alpha_relabels_nothing_and_gives_erm(invoke: Invoke) -> None:
    record = json.loads(invoke("--alpha", 1e9, "--json")[1])
    assert record["relabeled"] == 0
    assert record["precision"] is None
    assert record["recall"] == 0
    assert record["methods"]["RDIA"] == record["methods"]["ERM"] == record["methods"]["Random"]


def test_without_noise_recall_has_nothing_to_count(invoke: Invoke) -> None:
    record = json.loads(invoke("--noise", 0, "--json")[1])
    assert record["precision"] is record["recall"] is record["right"] is None
    assert record["relabeled"] > 0


def test_the_solver_does_not_change_the_answer(invoke: Invoke) -> None:
    records = [json.loads(invoke("--json", "--solver", solver)[1]) for solver in ("cholesky", "cg")]
    assert records[0]["relabeled"] == records[1]["relabeled"]
    losses = [record["methods"]["RDIA"]["test"]["log_loss"] for record in records]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's .npz whose labels are the strings "bad" and "good", with test rows of its own."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 5)) + 1
    y = np.where(x @ np.array([1, -1, 2, 0, 0]) > 2, "good", "bad")
    np.savez(tmp_path / "mine.npz", x_train=x[:300], y_train=y[:300], x_test=x[300:], y_test=y[300:])
    return tmp_path / "mine.npz"


def test_the_last_line_says_how_many_suspects_there_are_and_where_they_are_listed(tmp_path: Path, invoke: Invoke) -> None:
    out = invoke("--relabel", "drop", "--result_dir", tmp_path)[1].splitlines()
    listed = len((tmp_path / "relabeled.csv").read_text().splitlines()) - 1
    assert out[-1] == f"suspects: {listed}, listed in {tmp_path}/relabeled.csv"
    assert f"left out {listed} suspects of 319 (Phi > alpha = 0.0002)" in "\n".join(out)
    assert "suspects" not in invoke()[1]


def test_relabeled_csv_is_the_audit_of_the_run(mine: Path, invoke: Invoke) -> None:
    out = mine.parent / "out"
    record = json.loads(invoke("--dataset", mine, "--protocol", "paper", "--noise", 0.2, "--result_dir", out, "--json")[1])
    with (out / "relabeled.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["index", "old_label", "new_label", "phi", "eta"]
    assert len(rows) == record["relabeled"]
    phi = [float(row["phi"]) for row in rows]
    assert phi == sorted(phi, reverse=True)
    assert min(phi) > record["alpha"]
    assert all(float(row["eta"]) < 0 for row in rows)
    true_labels = np.load(mine)["y_train"]
    mended = sum(row["new_label"] == true_labels[int(row["index"])] != row["old_label"] for row in rows)
    assert mended / len(rows) == pytest.approx(record["precision"])
    assert all({row["old_label"], row["new_label"]} == {"bad", "good"} for row in rows)
    assert all(0 <= int(row["index"]) < 300 for row in rows)  # in the file's order


@pytest.mark.parametrize("relabel", ["R", "best"])
def test_ten_classes_are_repaired(relabel: str, tmp_path: Path, invoke: Invoke) -> None:
    flags = ("--dataset", "digits10", "--relabel", relabel, "--alpha", 0, "--result_dir", tmp_path, "--json")
    record = json.loads(invoke(*flags).out)
    assert (record["classes"], record["relabel"]) == (10, relabel)
    losses = {name: splits["test"]["log_loss"] for name, splits in record["methods"].items()}
    assert losses["RDIA"] < 0.7 * losses["ERM"] < losses["Random"]
    assert record["precision"] > 0.9
    assert record["recall"] > 0.9
    with (tmp_path / "relabeled.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["index", "old_label", "new_label", "phi", "eta", "eta_new_label"]
    truth = load_digits(return_X_y=True)[1]
    assert np.mean([int(row["new_label"]) == truth[int(row["index"])] for row in rows]) == pytest.approx(record["right"])
    assert all(float(row["eta_new_label"]) <= float(row["eta"]) < 0 for row in rows)
    assert all(row["old_label"] != row["new_label"] for row in rows)
    assert (tmp_path / "gallery.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "alpha.png").exists()
    invoke("--result_dir", tmp_path)
    assert not (tmp_path / "gallery.png").exists()  # wdbc's rows are no pictures


def test_with_two_classes_r_and_the_best_label_are_the_same(invoke: Invoke) -> None:
    first, second = (without_seconds(invoke("--json", "--relabel", mode).out) for mode in ("R", "best"))
    assert first.pop("relabel") != second.pop("relabel")
    assert first == second
    assert first["right"] == first["precision"]


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_alpha_and_what_to_do_are_chosen_on_validation_rows(noise: float, tmp_path: Path, invoke: Invoke) -> None:
    flags = ("--alpha", "auto", "--relabel", "auto", "--noise", noise, "--result_dir", tmp_path, "--json")
    record = json.loads(invoke(*flags).out)
    best = min(record["curve"], key=lambda point: (point["loss"], point["changed"]))
    assert (record["alpha"], record["relabel"]) == (best["alpha"], best["relabel"])
    assert record["methods"]["RDIA"]["test"]["log_loss"] < (0.3 if noise else 1.05) * record["methods"]["ERM"]["test"]["log_loss"]
    for picture in ("alpha.png", "phi.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "gallery.png").exists()
    assert "choose" in record["seconds"]


def test_too_few_validation_rows_for_auto_are_one_line(tmp_path: Path, invoke: Invoke) -> None:
    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y, x_val=x[:1], y_val=y[:1])
    ended = invoke("--dataset", tmp_path / "a.npz", "--alpha", "auto")
    assert ended.status == 2
    assert "--alpha auto" in ended.err.splitlines()[-1]
    assert "1 validation row, expected 2" in ended.err


def test_a_report_of_many_classes_says_how_many_suggestions_are_right(invoke: Invoke) -> None:
    out = invoke("--dataset", "digits10").out
    assert "1,006 rows: 10 classes of 87 to 108" in out
    assert " of the suggested labels are right\n" in out


def test_a_libsvm_file_of_three_classes_keeps_its_labels(tmp_path: Path, invoke: Invoke) -> None:
    x, y = load_wine(return_X_y=True)
    dump_svmlight_file((x - x.mean(axis=0)) / x.std(axis=0), 10 * y - 10, str(tmp_path / "wine.svm"), zero_based=False)
    ended = invoke("--dataset", tmp_path / "wine.svm", "--noise", 0.3, "--alpha", 0, "--result_dir", tmp_path / "out")
    assert ended.status == 0
    with (tmp_path / "out" / "relabeled.csv").open() as file:
        labels = {row[name] for row in csv.DictReader(file) for name in ("old_label", "new_label")}
    assert labels == {"-10", "0", "10"}


def test_a_class_without_validation_rows_is_noted(tmp_path: Path, invoke: Invoke) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((90, 4)), np.arange(90) % 3
    held = y[:30] != 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y, x_val=x[:30][held], y_val=y[:30][held])
    ended = invoke("--dataset", tmp_path / "a.npz", "--noise", 0)
    assert ended.status == 0
    assert "no validation row is of class 2" in ended.err


def test_each_run_is_one_more_line_with_all_that_it_depends_on(mine: Path, invoke: Invoke) -> None:
    out = mine.parent / "out"
    flags = ("--dataset", mine, "--protocol", "paper", "--result_dir", out, "--json")
    printed = [without_seconds(invoke(*flags, "--seed", seed)[1]) for seed in (1, 2)]
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [{key: line[key] for key in printed[0]} for line in lines] == printed
    assert {
        "C",
        "solver",
        "validation",
        "n_epoch",
        "python",
        "numpy",
        "scipy",
        "scikit-learn",
        "device",
        "commit",
        "seconds",
    } <= set(lines[0])


@pytest.mark.parametrize(
    ("model", "gpu", "device"),
    [(None, None, "cpu"), (None, 1, "cuda:1"), (SimpleNamespace(device="cuda:3"), None, "cuda:3")],
    ids=["cpu", "a linear model on a GPU", "a network on a GPU"],
)
def test_a_line_names_the_device_of_its_run(model: Any, gpu: int | None, device: str, tmp_path: Path) -> None:
    config = rdia_config(rdia_parser().parse_args([]))
    outcome = run.rdia.run(config, Stages(len(run.rdia.STAGES)))
    save_outcome(outcome._replace(model=model or outcome.model), config._replace(gpu=gpu), tmp_path)
    assert json.loads((tmp_path / "results.jsonl").read_text())["device"] == device


def test_changing_the_test_labels_changes_no_selection(mine: Path, invoke: Invoke) -> None:
    content = dict(np.load(mine))
    content["y_test"] = content["y_test"][::-1]
    np.savez(mine.with_name("other.npz"), **content)
    folders = [mine.parent / name for name in ("first", "second")]
    outs = [
        invoke("--dataset", path, "--protocol", "paper", "--result_dir", out, "--json")[1]
        for path, out in zip((mine, mine.with_name("other.npz")), folders, strict=True)
    ]
    assert json.loads(outs[0])["methods"]["RDIA"]["test"] != json.loads(outs[1])["methods"]["RDIA"]["test"]
    assert (folders[0] / "relabeled.csv").read_bytes() == (folders[1] / "relabeled.csv").read_bytes()


def test_each_part_of_a_sorted_file_has_both_classes(tmp_path: Path, invoke: Invoke) -> None:
    rows = [f"{label} 1:{label + number / 50} 2:{number % 3}" for label in (0, 1) for number in range(40)]
    (tmp_path / "mine.svm").write_text("\n".join(rows))
    (tmp_path / "mine.svm.t").write_text("\n".join(rows))
    ended = invoke("--dataset", tmp_path / "mine.svm", "--protocol", "paper")
    assert ended.status == 0
    assert "is the file sorted" not in ended.err
    assert "validation        24 rows: 12 of class 0, 12 of class 1" in ended.out


def test_noise_put_into_a_users_own_labels_is_said(mine: Path, invoke: Invoke) -> None:
    for protocol in ("paper", "auto"):
        assert "flipped on purpose" in invoke("--dataset", mine, "--noise", 0.2, "--protocol", protocol)[2]
        assert "flipped on purpose" not in invoke("--dataset", mine, "--protocol", protocol)[2]
    assert invoke("--dataset", mine, "--quiet")[2] == ""


def test_validation_rows_taken_from_a_users_own_are_said(mine: Path, invoke: Invoke) -> None:
    assert "FILE.val" in invoke("--dataset", mine)[2]
    content = dict(np.load(mine))
    np.savez(mine, x_val=content["x_test"], y_val=content["y_test"], **content)
    assert "FILE.val" not in invoke("--dataset", mine)[2]


def test_relabeling_that_does_harm_is_said(invoke: Invoke) -> None:
    ended = invoke("--noise", 0, "--alpha", 0, "--json")
    methods = json.loads(ended.out)["methods"]
    worse = methods["RDIA"]["validation"]["log_loss"] > methods["ERM"]["validation"]["log_loss"]
    assert ("give --alpha auto" in ended.err) == worse
    assert "give --alpha auto" not in invoke("--alpha", 1e9)[2]


def test_output_that_does_not_fit_is_one_line() -> None:
    command = [sys.executable, "RDIA.py", "--json"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "the output cannot be written (No space left on device); make room" in ended.stderr


def test_an_image_folders_audit_names_the_files(tmp_path: Path, invoke: Invoke) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for label, light in (("dark", 60), ("light", 190)):
        (tmp_path / "train" / label).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(light - 60, light + 60, (4, 4), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "train" / label / f"{number}.png")
    assert invoke("--dataset", tmp_path, "--noise", 0.2, "--protocol", "paper", "--result_dir", tmp_path / "out")[0] == 0
    with (tmp_path / "out" / "relabeled.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows
    files = sorted(str(path.relative_to(tmp_path / "train")) for path in tmp_path.glob("train/*/*.png"))
    assert all(files[int(row["index"])] == row["file"] for row in rows)


BAD = {
    "an unknown data set": (["--dataset", "imagenet"], "imagenet"),
    "noise of one": (["--noise", "1"], "got '1', expected"),
    "noise below zero": (["--noise", "-0.1"], "got '-0.1', expected"),
    "noise that is no number": (["--noise", "half"], "got 'half', expected"),
    "negative alpha": (["--alpha", "-1"], "got '-1', expected"),
    "alpha nan": (["--alpha", "nan"], "got 'nan', expected"),
    "infinite alpha": (["--alpha", "inf"], "got 'inf', expected"),
    "C of zero": (["--C", "0"], "got '0', expected"),
    "a seed with a fraction": (["--seed", "1.5"], "got '1.5', expected"),
    "an unknown solver": (["--solver", "lu"], "lu"),
    "an unknown flag": (["--noize", "0.1"], "--noize"),
    "a missing file": (["--dataset", "no/such.svm"], "no/such.svm"),
}


@pytest.mark.parametrize(("flags", "named"), BAD.values(), ids=BAD)
def test_a_bad_flag_is_one_line_and_status_2(flags: list[str], named: str, invoke: Invoke) -> None:
    status, out, err = invoke(*flags, "--json")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert named in err


ROWS = [f"{label} 1:{row / 7} 2:{row % 3}" for row in range(20) for label in (0, 1)]
FILES = {
    "empty": ("", "is empty"),
    "one class": ("\n".join(ROWS[::2]), "has one class (0)"),
    "nan": ("\n".join([*ROWS, "1 1:nan"]), "line 41"),
    "a ragged line": ("\n".join([*ROWS, "1 1:2 7"]), "line 41 is '1 1:2 7'"),
    "comma-separated": ("a,b,label\n1,2,0\n", "is a CSV file; give it a name that ends with .csv"),
    "too few rows": ("0 1:1\n1 1:2\n", "leave no folds"),
}


@pytest.mark.parametrize(("text", "named"), FILES.values(), ids=FILES)
def test_a_bad_file_is_one_line_and_status_2(text: str, named: str, tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "mine.svm"
    path.write_text(text)
    status, out, err = invoke("--dataset", path, "--result_dir", tmp_path / "out")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert named in err
    assert str(path) in err
    assert not list((tmp_path / "out").iterdir())


def test_features_that_cannot_be_fitted_are_one_line(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "mine.svm").write_text("\n".join(row + " 3:1e200" for row in ROWS))
    status, _, err = invoke("--dataset", tmp_path / "mine.svm", "--noise", 0)
    assert (status, err.count("\n")) == (2, 1)
    assert "scale the features" in err


def test_a_result_directory_that_cannot_be_written_is_found_before_the_work(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "file").write_text("")
    status, out, err = invoke("--result_dir", tmp_path / "file" / "out")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "--result_dir" in err


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "file").write_text("")
    status, _, err = invoke("--dataset", "realsim", "--data_dir", tmp_path / "file")
    assert (status, err.count("\n")) == (2, 1)
    assert "--data_dir" in err


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr("data.public.LIBSVM_URL", f"http://127.0.0.1:{unused.getsockname()[1]}/")
    monkeypatch.setattr("data.download.RETRIES", 0)
    status, _, err = invoke("--dataset", "realsim", "--data_dir", tmp_path)
    assert (status, err.count("\n")) == (2, 1)
    assert "real-sim" in err
    assert str(tmp_path) in err
    remedy = "put the file there by hand, or give the folder that has it as --data_dir"
    assert err.endswith(f" (no network, or the server cannot be reached); {remedy}\n")
    assert not list((tmp_path / "libsvm").iterdir())


LIBSVM = Path(os.environ.get("RDIA_DATA", "")) / "libsvm"


@pytest.mark.skipif(not (LIBSVM / "breast-cancer_scale").exists(), reason="RDIA_DATA has no libsvm/breast-cancer_scale")
def test_breast_cancer_gives_the_measured_losses_on_clean_labels(tmp_path: Path, invoke: Invoke) -> None:
    """Without noise nothing is random: the released procedure gives 0.0914, 0.0731 and 0.0783 (README, results)."""
    (tmp_path / "libsvm").mkdir()
    (tmp_path / "libsvm" / "breast-cancer_scale").symlink_to((LIBSVM / "breast-cancer_scale").resolve())
    methods = json.loads(invoke("--dataset", "cancer", "--noise", 0, "--data_dir", tmp_path, "--json")[1])["methods"]
    assert [round(methods[name]["test"]["log_loss"], 4) for name in ("ERM", "Dropout", "RDIA")] == [0.0914, 0.0731, 0.0783]


@pytest.mark.parametrize("solver", ["auto", "lissa"])
def test_a_network_repairs_built_in_data(solver: str, invoke: Invoke) -> None:
    flags = ("--dataset", "digits10", "--model", "mlp", "--alpha", 0, "--validation", "train", "--solver", solver, "--json")
    record = json.loads(invoke(*flags)[1])
    losses = {name: splits["test"]["log_loss"] for name, splits in record["methods"].items()}
    assert losses["RDIA"] < losses["ERM"] / 1.5
    assert record["precision"] > 0.9
    assert any(record["damping"] == pytest.approx(share * record["largest_eigenvalue"]) for share in (0.1, 0.03, 0.01, 0.003))
    assert record["residual"] <= (0.1 if solver == "lissa" else 1e-4)
    assert json.dumps(without_seconds(invoke(*flags)[1])) == json.dumps({k: v for k, v in record.items() if k != "seconds"})


def test_what_is_printed_of_a_network_names_its_damping(invoke: Invoke) -> None:
    flags = ("--dataset", "digits10", "--model", "mlp", "--n_epoch", 3, "--alpha", 0, "--damping", 50, "--quiet")
    record = json.loads(invoke(*flags, "--json").out)
    largest, residual = record["largest_eigenvalue"], record["residual"]
    share = f"{50 / largest:.3g} of the curvature's largest eigenvalue ({largest:.4g})"
    assert f"mlp: damping 50, {share}; relative residual {residual:.1e}" in invoke(*flags).out.splitlines()


def test_a_network_takes_validation_rows_from_the_test_rows_as_the_paper_does(invoke: Invoke) -> None:
    record = json.loads(invoke("--dataset", "digits10", "--model", "mlp", "--json")[1])
    assert (record["n_train"], record["n_validation"], record["n_test"]) == (1438, 100, 259)
    record = json.loads(invoke("--validation", "test", "--n_validation", 30, "--json")[1])
    assert (record["n_train"], record["n_validation"], record["n_test"]) == (456, 30, 83)
    record = json.loads(invoke("--n_validation", 30, "--json")[1])
    assert (record["n_train"], record["n_validation"], record["n_test"]) == (426, 30, 113)


def test_test_labels_change_no_selection_of_a_network(mine: Path, invoke: Invoke) -> None:
    with np.load(mine) as arrays:
        parts = dict(arrays)
    flags = ("--model", "mlp", "--validation", "train", "--noise", 0, "--result_dir", mine.parent / "out", "--json")
    listed = []
    for y_test in (parts["y_test"], np.roll(parts["y_test"], 1)):
        np.savez(mine, **{**parts, "y_test": y_test})
        invoke("--dataset", mine, *flags)
        listed.append((mine.parent / "out" / "relabeled.csv").read_text())
    assert listed[0] == listed[1]
    assert listed[0].count("\n") > 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--solver", "lissa"), "--solver lissa: is not for --model linear, expected one of auto, cholesky, cg"),
        (
            ("--model", "mlp", "--solver", "cholesky"),
            "--solver cholesky: is not for --model mlp, expected one of auto, cg, lissa",
        ),
        (("--model", "cnn"), "--model cnn: needs pictures of 8 by 8 or more, these rows are 30; use mlp"),
        (("--model", "mlp", "--gpu", 99), "--gpu 99: is not there, the GPUs here are:"),
        (("--n_validation", 999), "--dataset wdbc: 569 rows leave no training rows; give a smaller --n_validation than 999"),
        (
            ("--validation", "test", "--n_validation", 113),
            "--dataset wdbc: 569 rows leave no test rows; give a smaller --n_validation",
        ),
        (
            ("--dataset", "digits10", "--solver", "cholesky"),
            "--solver cholesky: digits10 has 10 classes, expected 2; leave --solver out",
        ),
        (("--damping", 0), "--damping: got '0', expected a finite number above 0"),
        (("--model", "mlp", "--damping", 1e-9), "give a larger --damping than 1e-09"),
        (("--damping", 5), "--damping 5: is for --model mlp or cnn, not for linear; leave it out"),
        (("--n_epoch", 5), "--n_epoch 5: is for --model mlp or cnn, not for linear; leave it out"),
        (("--model", "mlp", "--C", 1), "--C 1: is for --model linear, not for mlp; leave it out"),
        (("--model", "mlp", "--n_epoch", "9" * 30), "expected a whole number of at most 1,000,000,000"),
        (("--result_dir", ""), "--result_dir: got '', expected a path"),
        (("--alpha", "AUTO"), "expected a finite number of 0 or more, such as 0.0002, or auto"),
    ],
)
def test_flags_of_networks_that_cannot_be_met_end_in_one_line(flags: tuple[object, ...], message: str, invoke: Invoke) -> None:
    code, out, error = invoke(*flags)
    assert (code, out) == (2, "")
    assert error.count("\n") == 1
    assert message in error


def test_a_validation_part_of_ones_own_is_used_whole(mine: Path, invoke: Invoke) -> None:
    with np.load(mine) as arrays:
        np.savez(mine, **arrays, x_val=arrays["x_test"][:20], y_val=arrays["y_test"][:20])
    record = json.loads(invoke("--dataset", mine, "--model", "mlp", "--noise", 0, "--json")[1])
    assert (record["n_train"], record["n_validation"], record["n_test"]) == (300, 20, 100)
    code, _, error = invoke("--dataset", mine, "--n_validation", 5)
    assert code == 2
    assert "has validation rows of its own" in error


@pytest.mark.parametrize("name", ["phi.png", "relabeled.csv", "audit.npz", "gallery.png"])
def test_a_folder_in_the_place_of_a_result_is_one_line(name: str, tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / name).mkdir()
    code, out, error = invoke("--result_dir", tmp_path)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert f"{name}: cannot be written" in error

"""What the page of a run is made of: its data, the HTML around them, and what a run keeps of it."""

import base64
import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

import page.__main__
import RDIA
from data.errors import InputError
from page.render import ARRAYS, KINDS, embedded, html_page, source_hash, write_page
from page.review import CARRIED_SAMPLES, FEATURES, Review, feature_pulls, load_review, probabilities, save_review
from page.sprites import LARGEST_TILE, SHEET, encoded, scaled, sprites
from tests.invoke import Invoke
from tests.reviews import a_review

HOSTILE = "</script><script>alert(1)</script> & \u2028\u2029 \"quoted\" 'so'"


def data_of(html: str) -> dict[str, dict[str, list[str]]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


def array(packed: list[str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed[1]), dtype=KINDS[packed[0]])


def test_json_in_a_script_cannot_leave_it() -> None:
    text = embedded({"name": HOSTILE, "ä": [1.5]})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"name": HOSTILE, "ä": [1.5]}


def test_a_hostile_name_is_text_wherever_it_stands() -> None:
    found = a_review(40, 2, classes=(HOSTILE, "b"))
    html = html_page(found._replace(facts={**found.facts, "dataset": HOSTILE, "model": HOSTILE}))
    assert "<script>alert" not in html
    assert html.count("<script") == html.count("</script>") == 2
    assert data_of(html)["facts"]["classes"] == [HOSTILE, "b"]


def test_the_page_lets_nothing_run_or_load_but_itself() -> None:
    html = html_page(a_review(40, 2))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy
    script, style = (re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL) for tag in ("script", "style"))
    assert script
    assert style
    assert policy[1].startswith(
        f"default-src 'none'; style-src {source_hash(style[1])}; script-src {source_hash(script[1])}; img-src data:"
    )
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|fetch\(|XMLHttp|import\(", html)
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", html)


def test_the_arrays_come_through_as_they_are() -> None:
    found = a_review(50, 3)
    packed = data_of(html_page(found))["arrays"]
    for name in ARRAYS:
        np.testing.assert_array_equal(array(packed[name]), getattr(found, name).ravel(), err_msg=name)
    assert (np.diff(found.phi) <= 0).all()
    assert found.counts.sum() == 50
    assert found.counts[1].sum() == found.flipped.sum() == 16


def test_probabilities_are_the_softmax_of_two_classes_too() -> None:
    z = np.array([-2.0, 0.0, 800.0])
    np.testing.assert_allclose(probabilities(z), softmax(np.stack([np.zeros(3), z], axis=1), axis=1), atol=1e-15)
    logits = np.random.default_rng(0).standard_normal((4, 3))
    np.testing.assert_allclose(probabilities(logits).sum(axis=1), 1)


@pytest.mark.parametrize("classes", [2, 3])
def test_pulls_add_up_to_the_log_ratio_of_the_probabilities(classes: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, FEATURES - 1))
    weights = rng.standard_normal((classes, FEATURES - 1))[: 1 if classes == 2 else classes].squeeze()
    given, suggested = np.arange(6) % classes, (np.arange(6) + 1) % classes
    columns, values, pulls = feature_pulls(x, weights, given, suggested)
    p = probabilities(x @ weights.T)
    np.testing.assert_allclose(pulls.sum(axis=1), np.log(p[np.arange(6), suggested] / p[np.arange(6), given]), rtol=1e-5)
    assert (columns[:, -1] == -1).all()  # there are no more features than four
    np.testing.assert_allclose(values[:, 0], x[np.arange(6), columns[:, 0]], rtol=1e-6)
    assert (np.diff(np.abs(pulls), axis=1) <= 0).all()


def test_more_samples_than_a_page_carries_leave_the_least_harmful_out() -> None:
    n = CARRIED_SAMPLES + 500
    found = a_review(n, 2)
    assert len(found.rows) == CARRIED_SAMPLES
    assert found.counts.sum() == n
    assert len(html_page(found)) < 5_000_000


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (4, 5, 3)])
def test_a_sheet_holds_the_pictures_in_rows_of_ten(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (SHEET + 13, int(np.prod(shape)))) / 255
    x[:, 0], x[:, -1] = 0, 1  # so that the values are not stretched
    rows = rng.permutation(len(x))
    found = sprites(x, rows, shape)
    assert (found.held, found.height, found.width, len(found.sheets)) == (SHEET + 13, 4, 5, 2)
    for place in (0, 37, SHEET + 12):
        sheet = np.asarray(Image.open(io.BytesIO(found.sheets[place // SHEET])))
        top, left = place % SHEET // 10 * 4, place % 10 * 5
        picture = x[rows[place]].reshape(shape)
        expected = np.moveaxis(picture, 0, -1) if shape[0] == 3 else picture
        np.testing.assert_array_equal(sheet[top : top + 4, left : left + 5], np.round(255 * expected))


def test_pictures_are_scaled_down_and_stop_at_the_budget() -> None:
    assert scaled((300, 150)) == (LARGEST_TILE, LARGEST_TILE // 2)
    assert scaled((28, 28)) == (28, 28)
    assert scaled((1, 1000)) == (1, LARGEST_TILE)
    x = np.random.default_rng(0).random((3 * SHEET, 64))
    size = len(encoded(x[:SHEET].reshape(-1, 8, 8), 8, 8))
    assert sprites(x, np.arange(len(x)), (8, 8), budget=2 * size + size // 2).held == 2 * SHEET
    assert sprites(x, np.arange(len(x)), (8, 8), budget=size // 2).held == 0


def same(first: Review, second: Review) -> None:
    assert first.facts == second.facts
    for name in Review._fields[1:]:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


@pytest.mark.parametrize("shape", [None, (6, 6)])
def test_what_is_kept_is_read_back(shape: tuple[int, ...] | None, tmp_path: Path) -> None:
    found = a_review(30, 2, shape=shape)
    save_review(found, tmp_path)
    same(load_review(tmp_path), found)
    assert [path.name for path in tmp_path.iterdir()] == ["audit.npz"]


def test_a_missing_or_damaged_directory_is_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = Invoke(page.__main__, "page", monkeypatch, capsys)
    good = a_review(30, 2)
    save_review(good, tmp_path)
    whole = (tmp_path / "audit.npz").read_bytes()
    with np.load(tmp_path / "audit.npz") as content:
        arrays = dict(content)

    def saved(**changed: np.ndarray) -> bytes:
        np.savez(tmp_path / "audit.npz", **{**arrays, **changed})
        return (tmp_path / "audit.npz").read_bytes()

    torn, beyond = saved(phi=good.phi[:7]), saved(given=good.given + 2)
    np.savez(tmp_path / "audit.npz", facts=np.array("{}"))
    other = (tmp_path / "audit.npz").read_bytes()
    for content in (whole[:-40], whole[:100] + b"x" * 50 + whole[150:], b"", torn, beyond, other, None):
        (tmp_path / "audit.npz").write_bytes(content) if content is not None else (tmp_path / "audit.npz").unlink()
        status, out, err = audit(tmp_path, tmp_path / "page.html")
        assert (status, out, err.count("\n")) == (2, "", 1), content and content[:30]
        assert str(tmp_path / "audit.npz") in err
        assert not (tmp_path / "page.html").exists()


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    return Invoke(RDIA, "RDIA.py", monkeypatch, capsys)


def test_the_page_of_a_finished_run_is_the_page_of_the_run(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "sub" / "first.html", tmp_path / "second.html"
    record = json.loads(invoke("--dataset", "digits", "--alpha", 0.01, "--audit", first, "--result_dir", tmp_path, "--json").out)
    assert "curve" not in record  # alpha was given: the grid is the page's
    ended = Invoke(page.__main__, "page", monkeypatch, capsys)(tmp_path, second)
    assert ended == (0, "", "")
    assert first.read_bytes() == second.read_bytes()
    found = data_of(first.read_text())
    phi = array(found["arrays"]["phi"])
    assert (phi > 0.01).sum() == record["relabeled"]
    curve = found["facts"]["curve"]
    assert len(curve) == 12
    assert {point["relabel"] for point in curve} == {"R"}  # type: ignore[index]
    assert (len(phi), len(found["sheets"])) == (202, 3)


def test_without_weights_no_feature_is_said_to_pull() -> None:
    found = feature_pulls(np.ones((3, 2)), None, np.zeros(3, dtype=int), np.ones(3, dtype=int))
    assert [cells.shape for cells in found] == [(3, FEATURES)] * 3
    assert (found.columns == -1).all()


@pytest.mark.slow
def test_a_network_has_neither_features_nor_a_grid_that_would_take_long(tmp_path: Path, invoke: Invoke) -> None:
    path = tmp_path / "page.html"
    record = json.loads(invoke("--model", "mlp", "--n_epoch", 1, "--audit", path, "--json").out)
    found = data_of(path.read_text())
    assert (array(found["arrays"]["phi"]) > record["alpha"]).sum() == record["relabeled"]
    assert (found["facts"]["curve"], array(found["arrays"]["columns"]).size) == ([], 0)
    assert "<dd>network (mlp)</dd>" in path.read_text()
    assert "model=mlp" in str(found["facts"]["run"])


def test_a_run_that_chose_alpha_shows_its_own_grid(tmp_path: Path, invoke: Invoke) -> None:
    record = json.loads(invoke("--alpha", "auto", "--relabel", "auto", "--audit", tmp_path / "p.html", "--json").out)
    mine = [point for point in record["curve"] if point["relabel"] == record["relabel"]]
    assert data_of((tmp_path / "p.html").read_text())["facts"]["curve"] == mine


def test_the_results_of_a_run_do_not_depend_on_its_page(tmp_path: Path, invoke: Invoke) -> None:
    plain, audited = (json.loads(invoke("--json", *flags).out) for flags in ((), ("--audit", tmp_path / "p.html")))
    assert {**plain, "seconds": 0} == {**audited, "seconds": 0}


def test_a_place_for_the_page_that_cannot_be_written_is_found_before_the_work(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "page.html"):
        status, out, err = invoke("--audit", path)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert f"--audit {path if path.is_dir() else path.parent}" in err
    with pytest.raises(InputError, match="cannot be written"):
        write_page(a_review(10, 2), tmp_path / "none" / "page.html")


def test_a_page_takes_no_other_files_place(tmp_path: Path, invoke: Invoke) -> None:
    data, page, linked = tmp_path / "mine.svm", tmp_path / "page.html", tmp_path / "link.html"
    data.write_text("".join(f"{row % 2} 1:{row}\n" for row in range(60)))
    other = tmp_path / "other.html"
    other.write_text("<!doctype html>\n<html lang='en'>")
    os.mkfifo(tmp_path / "pipe")
    before = data.read_bytes(), other.read_bytes()
    for path in (data, other, tmp_path / "pipe", Path("/dev/zero")):
        status, out, err = invoke("--dataset", data, "--audit", path)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert f"--audit {path}: " in err
    assert (data.read_bytes(), other.read_bytes()) == before
    linked.symlink_to(page)
    for path in (page, page, linked):
        assert invoke("--dataset", data, "--audit", path, "--quiet").status == 0
    assert linked.is_symlink()
    assert page.read_text().startswith("<!doctype html>")


def test_a_run_with_too_few_validation_rows_has_a_page_without_a_curve(tmp_path: Path, invoke: Invoke) -> None:
    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y, x_val=x[:1], y_val=y[:1])
    ended = invoke("--dataset", tmp_path / "a.npz", "--protocol", "paper", "--audit", tmp_path / "p.html")
    assert ended.status == 0
    assert "note: the page shows no validation loss by alpha: " in ended.err
    found = data_of((tmp_path / "p.html").read_text())
    assert found["facts"]["curve"] == []
    assert array(found["arrays"]["flipped"]).size == 0

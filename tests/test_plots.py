"""What the paper's figures draw, read off matplotlib's artists before they are saved."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from Figure import document_targets, gamma_plot, influence_plot, noise_plot, reproduce
from Figure.compare import COMPARED
from Figure.gamma_plot import GAMMA_LOOKS, draw_gamma
from Figure.influence_plot import draw_influence
from Figure.noise_plot import METHOD_LOOKS, draw_noise
from Figure.target import Output
from run.records import Record


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The figures, in the order in which they would be saved."""
    figures: list[Any] = []
    for module in (gamma_plot, influence_plot, noise_plot):
        monkeypatch.setattr(module, "save_figure", lambda figure, _: figures.append(figure))
    yield figures
    plt.close("all")


def line_of(ax: Any, label: str) -> Any:
    (line,) = (line for line in ax.lines if line.get_label() == label)
    return line


def bands(ax: Any) -> dict[str, np.ndarray]:
    """The corners of each band, (points, 2), by its colour."""
    filled: list[Any] = [artist for artist in ax.collections if isinstance(artist, PolyCollection)]
    return {to_hex(band.get_facecolor()[0][:3]).upper(): band.get_paths()[0].vertices for band in filled}


def edges(corners: np.ndarray, x: float) -> list[float]:
    """Where a band begins and ends at a place."""
    there = corners[np.isclose(corners[:, 0], x)][:, 1]
    return [float(there.min()), float(there.max())]


# the noise figure


def noise_line(dataset: str, noise: float, seed: int, loss: float) -> Record:
    methods = {name: {"test": {"log_loss": loss + place}, "validation": {"log_loss": 77.0}} for place, name in enumerate(COMPARED)}
    return {"config": {"dataset": dataset, "noise": noise, "seed": seed}, "methods": methods}


def noise_figure(drawn: list[Any], lines: list[Record], noises: tuple[float, ...] = (0.0, 0.2, 0.4)) -> dict[str, Any]:
    draw_noise(lines, ("mnist", "cancer", "diabetes", "adult"), noises, Path("unused.png"))
    return {ax.get_title().split(",")[0].split(":")[0]: ax for ax in drawn[-1].axes}


def test_the_noise_curves_are_means_and_their_bands_one_sample_standard_deviation(drawn: list[Any]) -> None:
    """Of 1, 2 and 6 (mean 3, sd sqrt(7)) at 0.2, of 2 and 4 (mean 3, sd sqrt(2)) at 0.4, none at 0."""
    lines = [noise_line("cancer", 0.2, seed, loss) for seed, loss in ((1, 1.0), (2, 2.0), (3, 6.0))]
    lines += [noise_line("cancer", 0.4, seed, loss) for seed, loss in ((1, 2.0), (2, 4.0))]
    lines += [noise_line("adult", 0.4, 1, 50.0)]
    ax = noise_figure(drawn, lines)["cancer"]
    assert ax.get_title() == "cancer, n = 2 to 3 seeds"
    for place, method in enumerate(COMPARED):
        line, colour = line_of(ax, method), METHOD_LOOKS[method][0]
        assert line.get_xdata() == pytest.approx([0.2, 0.4])
        assert line.get_ydata() == pytest.approx([3.0 + place, 3.0 + place])
        assert (line.get_color(), line.get_marker(), line.get_linestyle()) == METHOD_LOOKS[method]
        assert edges(bands(ax)[colour], 0.2) == pytest.approx([3 + place - np.sqrt(7), 3 + place + np.sqrt(7)])
        assert edges(bands(ax)[colour], 0.4) == pytest.approx([3 + place - np.sqrt(2), 3 + place + np.sqrt(2)])
    assert ax.get_yscale() == "log"


def test_one_seed_has_no_band(drawn: list[Any]) -> None:
    axes = noise_figure(drawn, [noise_line("cancer", noise, 1, 2.0) for noise in (0.0, 0.2)])
    assert bands(axes["cancer"]) == {}
    assert line_of(axes["cancer"], "ERM").get_ydata() == pytest.approx([2.0, 2.0])


def test_a_data_set_without_lines_is_said_to_be_missing(drawn: list[Any]) -> None:
    axes = noise_figure(drawn, [noise_line("cancer", 0.2, 1, 2.0)])
    assert [ax.get_title() for ax in axes.values()] == [
        "mnist: not there",
        "cancer, n = 1 seed",
        "diabetes: not there",
        "adult: not there",
    ]
    assert not axes["adult"].lines
    assert not axes["adult"].axison


def test_mnist_alone_has_the_best_of_what_is_published(drawn: list[Any]) -> None:
    axes = noise_figure(drawn, [noise_line(dataset, 0.2, 1, 2.0) for dataset in ("mnist", "cancer")])
    published = line_of(axes["mnist"], "RDIA, published (best alpha)")
    assert published.get_xdata() == pytest.approx([0.0, 0.2, 0.5, 0.8])
    assert published.get_ydata() == pytest.approx([0.0207, 0.0315, 0.0410, 0.0405])
    assert len(axes["cancer"].lines) == len(COMPARED)
    named = [text.get_text() for text in drawn[-1].legends[0].get_texts()]
    assert named == [*COMPARED, "RDIA, published (best alpha)"]


def test_methods_are_told_apart_by_more_than_their_colour() -> None:
    assert set(METHOD_LOOKS) == set(COMPARED)
    for looks in (METHOD_LOOKS, GAMMA_LOOKS):
        assert len({colour for colour, *_ in looks.values()}) == len({tuple(rest) for _, *rest in looks.values()}) == len(looks)


def test_the_axes_of_the_noise_figure_have_names_and_units(drawn: list[Any]) -> None:
    ax = noise_figure(drawn, [noise_line("cancer", 0.2, 1, 2.0)])["cancer"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("share of training labels flipped", "test log-loss (nats)")
    assert drawn[-1].get_suptitle() == "Logistic regression on noisy labels, C = 0.1, alpha of RDIA by validation loss"


# the gamma figure


def gamma_line(rate: float, gamma: float, *accuracy: float) -> Record:
    return {"noise_rate": rate, "gamma": gamma, "test_accuracy": list(accuracy)}


def gamma_figure(drawn: list[Any], lines: list[Record]) -> Any:
    draw_gamma(lines, (0.2, 0.8), (0.2, 0.4, 0.6, 0.8), Path("unused.png"))
    return drawn[-1].axes


def test_the_gamma_curves_are_means_by_epoch_with_a_band_of_one_sample_standard_deviation(drawn: list[Any]) -> None:
    lines = [gamma_line(0.8, 0.2, 10.0, 80.0, 90.0), gamma_line(0.8, 0.2, 10.0, 84.0, 92.0), gamma_line(0.8, 0.4, 1.0, 2.0, 3.0)]
    lines += [gamma_line(0.2, 0.2, 10.0, 97.0)]
    low, high = gamma_figure(drawn, lines)
    assert [ax.get_title() for ax in (low, high)] == ["20% symmetric noise", "80% symmetric noise"]
    curve = line_of(high, "flag 0.2 (figure: 0.8), n = 2")
    assert curve.get_xdata() == pytest.approx([0, 1, 2])
    assert curve.get_ydata() == pytest.approx([10, 82, 91])
    assert (curve.get_color(), curve.get_linestyle()) == GAMMA_LOOKS[0.2]
    corners = bands(high)[GAMMA_LOOKS[0.2][0]]
    assert edges(corners, 0) == [10, 10]
    assert edges(corners, 1) == pytest.approx([82 - np.sqrt(8), 82 + np.sqrt(8)])
    assert edges(corners, 2) == pytest.approx([91 - np.sqrt(2), 91 + np.sqrt(2)])
    assert line_of(high, "flag 0.4 (figure: 0.6), n = 1").get_ydata() == pytest.approx([1, 2, 3])
    assert len(bands(high)) == 1
    assert line_of(low, "flag 0.2 (figure: 0.8), n = 1").get_ydata() == pytest.approx([10, 97])


def test_each_triangle_is_where_the_papers_curve_of_that_flag_ends(drawn: list[Any]) -> None:
    """The figure's gamma is 1 minus the flag: its 0.8, the flag 0.2, ends near 88 at 80% noise, the others between 86 and 87."""
    lines = [gamma_line(rate, gamma, *np.linspace(0, 90, 200)) for rate in (0.2, 0.8) for gamma in GAMMA_LOOKS]
    for ax, ends in zip(gamma_figure(drawn, lines), ([98.0] * 4, [88.0, 86.5, 86.5, 86.5]), strict=True):
        triangles = [line for line in ax.lines if line.get_marker() == "<"]
        assert [(line.get_color(), *line.get_ydata()) for line in triangles] == [
            (GAMMA_LOOKS[gamma][0], end) for gamma, end in zip((0.2, 0.4, 0.6, 0.8), ends, strict=True)
        ]
        assert all(line.get_xdata()[0] > 199 for line in triangles)
        low, high = ax.get_ylim()
        assert all(low < end < high for end in ends)


def test_the_axes_of_the_gamma_figure_have_names_and_units(drawn: list[Any]) -> None:
    ax = gamma_figure(drawn, [gamma_line(0.2, 0.4, 10.0, 97.0)])[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "test accuracy (%)")
    assert drawn[-1].get_suptitle() == (
        "RDIA-LS on MNIST, balanced warm-up; triangles: approximate ends of the curves in the paper's figure 3"
    )


def test_without_lines_a_panel_has_no_curve_and_no_triangle(drawn: list[Any]) -> None:
    low, high = gamma_figure(drawn, [gamma_line(0.2, 0.4, 10.0, 97.0)])
    assert (len(low.lines), len(high.lines)) == (2, 0)
    assert low.get_legend() is not None
    assert high.get_legend() is None


# the influence figure


def test_each_flip_is_a_dot_and_agreement_is_the_diagonal(drawn: list[Any]) -> None:
    records = [
        {"config": {"dataset": name}, "predicted": [-1.0, 1.0, 2.0], "actual": [-factor, factor, 2 * factor]}
        for name, factor in (("wdbc", 3.0), ("digits", 0.5))
    ]
    draw_influence(records, Path("unused.png"))
    first, second = drawn[-1].axes
    assert [ax.get_title() for ax in (first, second)] == [
        "wdbc: 3 flips, slope 3.000, r 1.0000",
        "digits: 3 flips, slope 0.500, r 1.0000",
    ]
    assert first.collections[0].get_offsets().tolist() == [[-1, -3], [1, 3], [2, 6]]
    assert first.lines[0].get_xdata().tolist() == first.lines[0].get_ydata().tolist() == [-3, 6]
    assert second.lines[0].get_xdata().tolist() == second.lines[0].get_ydata().tolist() == [-1, 2]
    assert (first.get_xlabel(), first.get_ylabel()) == ("predicted, eta / C (nats)", "actual, refitted (nats)")
    assert drawn[-1].get_suptitle() == "Change of the summed validation log-loss when one training label is flipped"
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["prediction = retraining", "one training sample"]


# what needs no runs


def test_the_picture_and_the_tables_of_flags_need_no_runs(tmp_path: Path) -> None:
    for name in ("framework", "flags"):
        made = reproduce.target(name)
        assert made is document_targets.TARGETS[name]
        assert made.wanted(3) == []
        made.show([], Output(tmp_path, own=True), tmp_path)
    assert (tmp_path / "framework.png").read_bytes().startswith(b"\x89PNG")
    for command, flag in (("RDIA.py", "--alpha"), ("RDIA-LS.py", "--gamma")):
        assert f"`{flag}" in (tmp_path / f"flags {command}.md").read_text()

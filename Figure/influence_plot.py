"""Predicted against actual change of the validation loss when one label is flipped and the model is fitted again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from run.drawing import save_figure, subplots
from run.records import Record


def slope_and_correlation(predicted: np.ndarray, actual: np.ndarray) -> tuple[float, float]:
    """Least-squares slope through the origin of actual on predicted, and Pearson's correlation."""
    return float(predicted @ actual / (predicted @ predicted)), float(np.corrcoef(predicted, actual)[0, 1])


def draw_influence(records: Sequence[Record], path: Path) -> None:
    """One panel a data set: a dot a sample, the line on which prediction and retraining agree."""
    figure, axes = subplots(1, len(records), size=(4 * len(records), 4))
    for ax, record in zip(axes[0], records, strict=True):
        predicted, actual = np.array(record["predicted"]), np.array(record["actual"])
        slope, correlation = slope_and_correlation(predicted, actual)
        ends = np.array([min(predicted.min(), actual.min()), max(predicted.max(), actual.max())])
        ax.plot(ends, ends, color="0.45", linestyle="--", linewidth=1, label="prediction = retraining")
        ax.scatter(predicted, actual, s=14, color="#0072B2", alpha=0.6, linewidths=0, label="one training sample")
        ax.set_title(f"{record['config']['dataset']}: {len(predicted)} flips, slope {slope:.3f}, r {correlation:.4f}", fontsize=10)
        ax.set_xlabel("predicted, eta / C (nats)")
        ax.set_ylabel("actual, refitted (nats)")
    axes[0, 0].legend(loc="upper left", fontsize=9)
    figure.suptitle("Change of the summed validation log-loss when one training label is flipped", fontsize=11)
    save_figure(figure, path)

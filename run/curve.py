"""Plot of the test accuracy against the epoch."""

from pathlib import Path

from run.drawing import plain, save_figure, subplots
from run.records import Record


def draw_curve(record: Record, path: Path) -> None:
    """The test accuracy of one run, its best epoch, and the mean of the last ten."""
    accuracy = record["test_accuracy"]
    best = accuracy.index(max(accuracy))
    figure, ((ax,),) = subplots(1, 1, size=(7, 4))
    ax.plot(accuracy, color="#0072B2", label="test accuracy")
    ax.plot(best, accuracy[best], "o", color="#D55E00", label=f"best, {accuracy[best]:.2f}% at epoch {best}")
    ax.axhline(record["last10"], color="0.45", linestyle="--", linewidth=1, label=f"mean of the last ten, {record['last10']:.2f}%")
    ax.set_xlabel("epoch")
    ax.set_ylabel("test accuracy (%)")
    noise = "no noise injected" if record["noise_type"] == "none" else f"{record['noise_rate']:.0%} {record['noise_type']} noise"
    ax.set_title(
        f"{record['method']} on {plain(Path(record['dataset']).name)}, {noise}, gamma {record['gamma']:g}, seed {record['seed']}",
        fontsize=10,
    )
    ax.legend(loc="lower right", fontsize=9)
    ax.grid(alpha=0.3)
    save_figure(figure, path)

"""How every picture is drawn and saved."""

from pathlib import Path
from typing import Any

from data.files import replacing


def subplots(*shape: int, size: tuple[float, float]) -> tuple[Any, Any]:
    """A figure and its axes, drawn without a screen. shape: rows and columns of axes; size: inches."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(*shape, figsize=size, layout="constrained", squeeze=False)


def save(figure: Any, path: Path) -> None:
    """Write the figure as PNG, whole or not at all, without a trace of the version that drew it, and forget it."""
    from matplotlib import pyplot as plt

    with replacing(path) as file:
        figure.savefig(file, dpi=110, format="png", metadata={"Software": None})
    plt.close(figure)

"""How every picture is drawn and saved."""

import warnings
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.files import replacing


def subplots(*shape: int, size: tuple[float, float]) -> tuple[Any, Any]:
    """A figure and its axes, drawn without a screen. shape: rows and columns of axes; size: inches."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt.subplots(*shape, figsize=size, layout="constrained", squeeze=False)


def plain(text: str) -> str:
    """A text to draw: dollar signs do not start a formula, and bytes that are not text become question marks."""
    return text.encode(errors="replace").decode().replace("$", r"\$")


def save_figure(figure: Any, path: Path) -> None:
    """Write the figure as PNG, whole or not at all, and close it. Raises `InputError`.

    The file does not name the version of matplotlib: the same figure has the same bytes.
    """
    from matplotlib import pyplot as plt

    try:
        with replacing(path) as file, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # a letter that the font does not have is drawn as a box
            figure.savefig(file, dpi=110, format="png", metadata={"Software": None})
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); make room, or give another folder") from error
    finally:
        plt.close(figure)

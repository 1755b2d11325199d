"""RDIA-LS on MNIST with the released MLP: runs kept as JSON lines in Figure/ls.jsonl, and their table in README.md.

    python -m Figure.reproduce_ls released --rate 0.8 --seeds 10    # 4 to 5 minutes of one core a seed
    python -m Figure.reproduce_ls fast --rate 0.8 --seeds 10        # one minute a seed
    python -m Figure.reproduce_ls                                   # the table alone, of what is kept

A run that is kept is not made again. Several of these commands may run side by side, each with one thread.
"""

import sys
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from data.flags import Parser, add_data_dir, count, rate, run_script
from data.noise import NoiseType
from Figure.deep import LOST, DeepConfig, run_deep
from Figure.lines import FOLDER, read_lines
from Figure.results import ROOT, Record, append_line, environment
from Figure.tables import paste_into
from models.settings import FAST, METHODS, Settings

VARIANTS: dict[str, dict[str, Any]] = {
    "released": {},
    "balanced": {"warmup": "balanced"},
    "fast": FAST,
    "corrected": {"objective": "corrected"},
    **{method: {"method": method} for method in METHODS[1:]},
}


def mnist_config(
    variant: str, noise_rate: float, number: int, noise_type: NoiseType = "symmetric", gamma: float = 0.2
) -> DeepConfig:
    """The authors' MNIST command with one thing changed."""
    settings = Settings(gamma=gamma, weight_decay=1e-5, forget_rate=noise_rate, discard_rate=noise_rate / 2)
    return DeepConfig("mnist", noise_rate, noise_type, number, "mlp", settings._replace(**VARIANTS[variant]))


def table(lines: list[Record]) -> str:
    """Markdown: last-ten test accuracy by variant and noise rate, and how many seeds lose a class."""
    head = [
        "variant",
        "noise",
        "seeds",
        "last ten, all seeds",
        "seeds that lose a class",
        "last ten, the others",
        "best epoch",
        "epochs",
    ]
    rows = [head, ["---"] * len(head)]
    for noise_rate in sorted({line["noise_rate"] for line in lines}, reverse=True):
        for variant in VARIANTS:
            mine = [
                line
                for line in lines
                if (line["variant"], line["noise_rate"], line["gamma"], line["noise_type"])
                == (variant, noise_rate, 0.2, "symmetric")
            ]
            if mine:
                rows.append([variant, f"{noise_rate:.0%}", *_cells(mine)])
    cells = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"MNIST, symmetric noise, gamma 0.2, weight decay 1e-5: test accuracy %, mean ± sd over seeds.\n\n{cells}"


def _cells(lines: list[Record]) -> list[str]:
    lost = [min(line["test_recall"]) < LOST for line in lines]
    kept = [line["last10"] for line, gone in zip(lines, lost, strict=True) if not gone]
    everything, best = [line["last10"] for line in lines], [line["best"] for line in lines]
    return [f"{len(lines)}", _spread(everything), f"{sum(lost)}", _spread(kept), _spread(best), str(lines[0]["epochs"])]


def _spread(values: list[float]) -> str:
    if len(values) < 2:
        return "".join(f"{value:.2f}" for value in values) or "-"
    return f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"


def main() -> None:
    flags = Parser("Figure.reproduce_ls", __doc__)
    flags.add_argument("variant", choices=VARIANTS, nargs="?", help="what to run")
    flags.add_argument("--rate", type=rate, default=0.8, help="noise rate (0.8)")
    flags.add_argument("--noise_type", choices=["symmetric", "pairflip"], default="symmetric", help="(symmetric)")
    flags.add_argument("--gamma", type=float, default=0.2, help="(0.2)")
    flags.add_argument("--seeds", type=count, default=10, help="seeds 1 to this many (10)")
    add_data_dir(flags)
    given = flags.parse_args()
    torch.set_num_threads(1)
    path = FOLDER / "ls.jsonl"
    wanted = [
        mnist_config(given.variant, given.rate, number, given.noise_type, given.gamma)
        for number in range(1, given.seeds + 1)
        if given.variant
    ]
    for config in tqdm(wanted, unit="run", disable=not sys.stderr.isatty()):
        if config.flat() not in [line["config"] for line in read_lines(path)]:
            record = run_deep(config, given.data_dir, torch.device("cpu"))
            append_line(path, {**record, "variant": given.variant, "config": config.flat(), **environment()})
    paste_into(ROOT / "README.md", "ls", table(read_lines(path)))


if __name__ == "__main__":
    run_script("Figure.reproduce_ls", main)

"""How `RDIA-LS.py --recipe fast` was chosen: on noisy training labels held out, never on the test set.

    python -m Figure.recipe      # MNIST; a quarter of an hour of one core; lines in Figure/recipe.jsonl, table in README.md

A tenth of the noisy training set is held out. From the accuracy a on its noisy labels the accuracy on true ones is estimated by
(a - q) / (1 - rho - q), with q = rho / (K - 1) the rate at which symmetric noise hits a given wrong class. The candidate with the
highest mean over the noise rates is the recipe.
"""

import itertools
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from data.flags import Parser, add_data_dir, run_script
from data.noise import redraw_labels
from data.pictures import load_pictures
from data.streams import generator, stream_seed
from Figure.lines import FOLDER, read_lines
from Figure.results import ROOT, Record, append_line, environment
from Figure.tables import paste_into
from models.networks import build
from models.settings import Settings
from models.training import Tensors, start, train

RATES = (0.2, 0.5, 0.8)
EPOCHS = (20, 40, 50)  # at most a quarter of the released 200
AVERAGES = (0.0, 0.0005, 0.002)
SEED = 101  # not among those of the results
LAST = 3  # epochs whose mean counts


def held_out(rate: float, data_dir: Path) -> Tensors:
    """MNIST's training set under symmetric noise: nine tenths to train on, one tenth in the place of the test set."""
    pictures = load_pictures("mnist", data_dir, SEED)
    given = redraw_labels(pictures.labels, 10, rate, "symmetric", generator(SEED, "noise"))
    order = generator(SEED, "split").permutation(len(given.labels))
    fit, held = np.split(order, [len(order) * 9 // 10])
    x = torch.from_numpy(np.array(pictures.x)).float().div_(255)
    labels, correct = torch.from_numpy(given.labels), torch.from_numpy(~given.flipped)
    return Tensors(x[fit], labels[fit], correct[fit], x[held], labels[held], 10)


def estimate(accuracy: float, rate: float, classes: int = 10) -> float:
    """Accuracy on true labels, per cent, from that on labels under symmetric noise."""
    strayed = rate / (classes - 1)
    return 100 * (accuracy / 100 - strayed) / (1 - rate - strayed)


def candidate(rate: float, n_epoch: int, average: float, data: Tensors) -> Record:
    """One run: the rate falls over the last 60% of the epochs, the warm-up is balanced."""
    settings = Settings(
        gamma=0.2,
        weight_decay=1e-5,
        forget_rate=rate,
        discard_rate=rate / 2,
        warmup="balanced",
        n_epoch=n_epoch,
        epoch_decay_start=2 * n_epoch // 5,
        average=average,
    )
    state = start(
        build("mlp", (1, 28, 28), 10, stream_seed(SEED, "initialisation")),
        torch.nn.Identity(),
        settings,
        stream_seed(SEED, "order"),
    )
    last = [epoch.test_accuracy for epoch in train(state, data, settings)][-LAST:]
    estimated = float(np.mean([estimate(accuracy, rate) for accuracy in last]))
    return {"noise_rate": rate, "n_epoch": n_epoch, "average": average, "held_out": float(np.mean(last)), "estimated": estimated}


def table(lines: list[Record]) -> str:
    """Markdown: estimated accuracy by candidate and noise rate, best mean first."""
    rows = []
    for n_epoch, average in itertools.product(EPOCHS, AVERAGES):
        found = [line["estimated"] for rate in RATES for line in lines if _key(line) == (rate, n_epoch, average)]
        rows.append((float(np.mean(found)), [f"{n_epoch}", f"{average:g}", *(f"{value:.2f}" for value in found)]))
    rows.sort(key=lambda row: -row[0])
    head = ["epochs", "average", *(f"noise {rate:g}" for rate in RATES), "mean"]
    cells = [head, ["---"] * len(head), *([*row, f"{mean:.2f}"] for mean, row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def _key(line: Record) -> tuple[float, int, float]:
    return line["noise_rate"], line["n_epoch"], line["average"]


def main() -> None:
    flags = Parser("Figure.recipe", __doc__)
    add_data_dir(flags)
    data_dir = flags.parse_args().data_dir
    torch.set_num_threads(1)
    path = FOLDER / "recipe.jsonl"
    done = {_key(line) for line in read_lines(path)}
    missing = [key for key in itertools.product(RATES, EPOCHS, AVERAGES) if key not in done]
    for rate, n_epoch, average in tqdm(missing, unit="run", disable=not sys.stderr.isatty()):
        append_line(path, {**candidate(rate, n_epoch, average, held_out(rate, data_dir)), **environment()})
    paste_into(ROOT / "README.md", "recipe", table(read_lines(path)))


if __name__ == "__main__":
    run_script("Figure.recipe", main)

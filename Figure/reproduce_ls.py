"""Runs of RDIA-LS on MNIST, kept as JSON lines in Figure/ls.jsonl."""

import sys

import torch
from tqdm import tqdm

from data.flags import Parser, add_data_dir, run_script, seed
from Figure.deep import DeepConfig, run_deep
from Figure.lines import FOLDER, read_lines
from Figure.results import append_line, environment
from models.training import FAST, Settings

VARIANTS = {
    "released": {},
    "balanced": {"warmup": "balanced"},
    "fast": FAST,
    "erm": {"method": "erm"},
    "self-teaching": {"method": "self-teaching"},
    "corrected": {"objective": "corrected"},
}


def mnist_config(variant: str, rate: float, number: int) -> DeepConfig:
    settings = Settings(gamma=0.2, weight_decay=1e-5, forget_rate=rate, discard_rate=rate / 2)
    return DeepConfig("mnist", rate, "symmetric", number, "mlp", settings._replace(**VARIANTS[variant]))


def main() -> None:
    flags = Parser("Figure.reproduce_ls", __doc__)
    flags.add_argument("variant", choices=VARIANTS)
    flags.add_argument("--rate", type=float, default=0.8)
    flags.add_argument("--first", type=seed, default=1)
    flags.add_argument("--last", type=seed, default=10)
    add_data_dir(flags)
    given = flags.parse_args()
    torch.set_num_threads(1)
    path = FOLDER / "ls.jsonl"
    for number in tqdm(range(given.first, given.last + 1), disable=not sys.stderr.isatty()):
        config = mnist_config(given.variant, given.rate, number)
        kept = [line["config"] for line in read_lines(path)]
        if config.flat() in kept:
            continue
        record = run_deep(config, given.data_dir, torch.device("cpu"))
        append_line(path, {**record, "variant": given.variant, "config": config.flat(), **environment()})


if __name__ == "__main__":
    run_script("Figure.reproduce_ls", main)

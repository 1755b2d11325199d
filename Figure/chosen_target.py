"""The target `chosen`: MNIST 1 against 7 with the paper's split, everything chosen by data (`--protocol auto`)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from Figure.linear_targets import best_in_bold
from Figure.lines import Run
from Figure.tables import markdown, mean_sd, seeds
from Figure.target import Target
from run.rdia import Config
from run.records import Record
from run.repairing import REPAIR_STAGES, run_repair
from run.stages import Stages

CHOSEN_NOISES = (0.2, 0.4, 0.6, 0.8)


def chosen_runs(count: int) -> list[Run]:
    """`RDIA.py --dataset mnist --protocol auto` at four noise rates."""
    configs = [{"dataset": "mnist", "noise": noise, "seed": seed} for seed in range(1, count + 1) for noise in CHOSEN_NOISES]
    return [Run("chosen", config, partial(run_chosen, config)) for config in configs]


def run_chosen(config: Record, data_dir: Path) -> Record:
    """What `RDIA.py --protocol auto --json` prints."""
    full = Config(**config, alpha=None, solver="auto", data_dir=data_dir, protocol="auto")
    return run_repair(full, Stages(len(REPAIR_STAGES))).record


def chosen_table(lines: Sequence[Record]) -> str:
    """Test log-loss of each method, and what became of the wrong labels, a row a noise rate; the best loss of a row in bold."""
    methods = list(lines[0]["methods"]) if lines else []
    rows = []
    for noise in CHOSEN_NOISES:
        mine = [line for line in lines if line["config"]["noise"] == noise]
        losses = [mean_sd([line["methods"][method]["test"]["log_loss"] for line in mine]) for method in methods]
        rows.append(
            [f"{noise:g}", *best_in_bold(losses), *(mean_sd([line[name] for line in mine], 3) for name in ("precision", "recall"))]
        )
    trusted = f", {lines[0]['n_trusted']:,} trusted rows" if lines else ""
    head = f"mnist: test log-loss, mean ± sd of {seeds(lines)}{trusted}; precision and recall of the suspects at `--fdr 0.1`."
    return f"{head}\n\n{markdown(['noise', *methods, 'precision', 'recall'], rows)}"


TARGETS = {
    "chosen": Target(
        "MNIST 1 vs 7 with everything chosen by data, by noise rate",
        3,
        chosen_runs,
        lambda lines, output, _: output.table("chosen", chosen_table(lines)),
    )
}

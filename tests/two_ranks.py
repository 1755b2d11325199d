"""What `tests/test_ranks.py` lets torchrun start: each case is trained by one process and by all ranks, in float64, and compared.

torchrun --nproc-per-node 2 -m tests.two_ranks FOLDER      # RANK.json: by case, how far the two are apart
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data.errors import InputError
from models.architectures import build
from models.devices.ranks import ALONE, Ranks, from_first, on_ranks
from models.devices.shared_norm import share_norms
from models.devices.together import forward_together
from models.methods import companion
from models.settings import METHODS, Network, Settings
from models.training import Epoch, State, Tensors, forward, snapshot, start, train
from models.trusted import Trusted

SETTINGS = Settings(n_epoch=5, init_epoch=2, num_gradual=2, epoch_decay_start=4, batch_size=15, forget_rate=0.5, discard_rate=0.25)
CASES: dict[str, tuple[Network, Settings, int]] = {  # the last: of trusted samples
    **{method: ("mlp", SETTINGS._replace(method=method), 0) for method in METHODS},
    "balanced, averaged": ("mlp", SETTINGS._replace(warmup="balanced", average=0.1), 0),
    "batches of one": ("mlp", SETTINGS._replace(n_epoch=2, batch_size=1), 0),  # leave one of two ranks without a row
    "cnn": ("cnn", SETTINGS._replace(optimizer="sgd", lr=0.01, average=0.1), 0),
    "trusted": ("mlp", SETTINGS._replace(warmup="balanced"), 7),
}


def data(m: int) -> Tensors:
    """Three classes of 8 by 8 pictures, a third of the labels wrong; batches of 15 cannot be halved."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (90,), generator=generator)
    x = torch.rand(90, 1, 8, 8, generator=generator, dtype=torch.float64) / 2
    x += (torch.arange(64).reshape(8, 8) % 3 == labels.reshape(-1, 1, 1, 1)) / 2
    correct = torch.arange(90) % 3 > 0
    given = torch.where(correct, labels, (labels + 1) % 3)
    return Tensors(x[:65], given[:65], correct[:65], x[65:], labels[65:], 3, Trusted(x[:m], labels[:m]) if m else None)


def trained(network: Network, settings: Settings, m: int, ranks: Ranks) -> tuple[list[Epoch], State]:
    """Every epoch, and the state after the last."""
    networks = [build(network, (1, 8, 8), 3, seed).double() for seed in (1, 9)]
    if ranks.world > 1:
        networks = [share_norms(one, torch.device("cpu")) for one in networks]
    state = start(networks[0], companion(settings.method, 3, lambda: networks[1]), settings, 2)
    of_batch = forward_together(ranks, state, settings) if ranks.world > 1 else forward
    return list(train(state, data(m), settings, of_batch=of_batch)), state


def tensors(kept: Any) -> list[Tensor]:
    """The tensors in a snapshot, in order."""
    if isinstance(kept, Tensor):
        return [kept.double()]
    parts = kept.values() if isinstance(kept, dict) else kept if isinstance(kept, list) else []
    return [tensor for part in parts for tensor in tensors(part)]


def compare(network: Network, settings: Settings, m: int, ranks: Ranks) -> dict[str, Any]:
    (alone, state), (together, shared) = (trained(network, settings, m, who) for who in (ALONE, ranks))
    pairs = list(zip(tensors(snapshot(state)), tensors(snapshot(shared)), strict=True))
    return {
        "epochs": [[epoch._asdict() for epoch in epochs] for epochs in (alone, together)],
        "apart": max((a - b).abs().max().item() for a, b in pairs),
    }


def refused_by_first() -> None:
    raise InputError("no")


def main(ranks: Ranks) -> None:
    found = {name: compare(*case, ranks) for name, case in CASES.items()}
    told = from_first(ranks, lambda: ranks.rank)
    try:
        from_first(ranks, refused_by_first)
    except InputError as error:
        refused = str(error)
    (Path(sys.argv[1]) / f"{ranks.rank}.json").write_text(json.dumps({"cases": found, "told": told, "refused": refused}))


if __name__ == "__main__":
    on_ranks(main)

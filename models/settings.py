"""The settings of training a network, and the released schedule; without torch, so that flags and tables do without it."""

from typing import Any, Literal, NamedTuple

Objective = Literal["released", "corrected"]
OBJECTIVES: tuple[Objective, ...] = ("released", "corrected")
Network = Literal["auto", "mlp", "cnn", "resnet18"]
NETWORKS: tuple[Network, ...] = ("auto", "mlp", "cnn", "resnet18")
Method = Literal["rdia-ls", "erm", "self-teaching", "co-teaching", "sigua", "f-correction", "s-model"]
METHODS: tuple[Method, ...] = ("rdia-ls", "erm", "self-teaching", "co-teaching", "sigua", "f-correction", "s-model")
Warmup = Literal["released", "balanced"]
WARMUPS: tuple[Warmup, ...] = ("released", "balanced")
Augment = Literal["none", "crop", "flip", "both"]
AUGMENTS: tuple[Augment, ...] = ("none", "crop", "flip", "both")
Optimizer = Literal["adam", "sgd"]
OPTIMIZERS: tuple[Optimizer, ...] = ("adam", "sgd")


class Settings(NamedTuple):
    """What training depends on besides data, network and seeds."""

    method: Method = "rdia-ls"
    objective: Objective = "released"
    warmup: Warmup = "released"
    gamma: float = 0.2  # weight of the clean term, in [0, 1]
    forget_rate: float = 0.4  # share of a batch that is not kept as clean, reached after num_gradual epochs
    discard_rate: float = 0.2  # share of a batch that is discarded after the warm-up
    n_epoch: int = 200  # epoch 0 is the evaluation of the untrained network
    init_epoch: int = 10  # first epoch after the warm-up
    num_gradual: int = 10
    epoch_decay_start: int = 80
    lr: float = 1e-3
    weight_decay: float = 0.0
    optimizer: Optimizer = "adam"
    batch_size: int = 128
    average: float = 0.0  # step of the exponential average of the weights that is evaluated; 0: the weights themselves
    amp: bool = False  # bfloat16 autocast
    augment: Augment = "none"  # random crops of the padded picture, and mirrored pictures (`models.augment`)


# `Figure.recipe` is how this was chosen.
FAST: dict[str, Any] = {"n_epoch": 40, "epoch_decay_start": 16, "lr": 0.002, "warmup": "balanced", "average": 0.0005}
# Of a user's own data: small sets need the epochs, and small gammas make their networks relabel too much (`Figure.own_target`).
OWN: dict[str, Any] = {**FAST, "n_epoch": 80, "epoch_decay_start": 32, "gamma": 0.5}
RECIPES: dict[str, dict[str, Any]] = {"released": {}, "fast": FAST, "own": OWN}  # what --recipe sets


def with_rate(settings: Settings, rate: float) -> Settings:
    """The settings with the shares of a batch that go with a noise rate."""
    return settings._replace(forget_rate=rate, discard_rate=rate / 2)


def forget_rate(settings: Settings, epoch: int) -> float:
    """F(e): `linspace(0, rho, num_gradual)` over the first epochs, then rho."""
    rising = settings.num_gradual - 1
    return settings.forget_rate if epoch >= settings.num_gradual else epoch * (settings.forget_rate / max(1, rising))


def learning_rate(settings: Settings, epoch: int) -> float:
    """Constant, then falling linearly from `epoch_decay_start` to 0 at `n_epoch`."""
    start = settings.epoch_decay_start
    return settings.lr if epoch < start else settings.lr * (settings.n_epoch - epoch) / (settings.n_epoch - start)

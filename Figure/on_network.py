"""RDIA on a network by influence, and RDIA-LS, on the same wrong labels: a run of the target `networks`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from data.dataset import Validation, load
from data.streams import stream_seed
from Figure.many import compare_relabelings, noisy, splits_of
from models.model import judge
from models.settings import FAST, Settings, with_rate
from run.records import Record
from run.stages import Stages

if TYPE_CHECKING:  # torch is imported where a run is made: the table of what is kept does without
    from torch import nn

    from models.network_model import NetworkModel
    from models.training import Tensors


class OnNetwork(NamedTuple):
    """What determines the numbers of a run, apart from the machine."""

    dataset: str
    noise: float
    seed: int
    model: Literal["mlp"] = "mlp"
    n_validation: int = 1_000  # the last of the training rows
    n_epoch: int = 10
    alpha: float = 0.0


def relabel_on_network(config: OnNetwork, data_dir: Path) -> Record:
    """What `relabel_many` gives, for a network instead of softmax regression, and the metrics of RDIA-LS."""
    import torch

    from models.devices.device import choose_device
    from models.network_model import Fitting, NetworkModel
    from models.training import Tensors

    stages, device = Stages(5), choose_device(None)
    torch.set_num_threads(1)
    with stages("load"):
        dataset = load(config.dataset, data_dir, config.seed, Validation("train", config.n_validation))
        given = noisy(dataset, config.noise, config.seed)
    seeds = stream_seed(config.seed, "initialisation"), stream_seed(config.seed, "order")
    shape = dataset.shape or dataset.train.x.shape[1:]
    model = NetworkModel(len(dataset.classes), shape, config.model, *seeds, device, fitting=Fitting(config.n_epoch))
    record = compare_relabelings(model, dataset, given, config.alpha, stages)
    with stages("RDIA-LS"):
        x, x_test = (model.inputs(part.x) for part in (dataset.train, dataset.test))
        labels, correct, labels_test = map(torch.from_numpy, (given.labels, ~given.flipped, dataset.test.labels))
        data = Tensors(x, labels.to(device), correct.to(device), x_test, labels_test.to(device), model.classes)
        by_loss = fit_by_loss(model, data, config.noise)
    record["methods"]["RDIA-LS"] = judge(model, by_loss, splits_of(model, dataset))
    return {**record, "device": str(device)}


def fit_by_loss(model: "NetworkModel", data: "Tensors", noise: float) -> "nn.Module":
    """The network that RDIA-LS trains by its fast recipe, from the same start as the model's own fits."""
    from torch import nn

    from models.training import start, train

    settings = with_rate(Settings(**FAST, weight_decay=1e-5), noise)
    state = start(model.start(data.x), nn.Identity(), settings, model.order_seed)
    for _ in train(state, data, settings):
        pass
    return state.averaged.eval()

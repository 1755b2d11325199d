"""Several ranks. Of the rules of a batch, its shares are tried in one process; what takes two is started by torchrun."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from data.errors import InputError
from models.devices.device import choose_device
from models.devices.ranks import ALONE, Ranks, from_first, on_ranks
from models.devices.together import among, rank_share
from models.methods import Batch, companion, take_step
from models.settings import METHODS, Method, Settings
from run.checkpoint import Checkpoint, read_checkpoint
from tests.invoke import ROOT, Invoke
from tests.two_ranks import CASES

SETTINGS = Settings(n_epoch=8, init_epoch=3, num_gradual=3, forget_rate=0.5, discard_rate=0.25)
FLAGS = ("--n_epoch", 40, "--epoch_decay_start", 12, "--init_epoch", 5, "--num_gradual", 5)
WORLDS = (1, 2, 3, 5, 20)
LINE = "RDIA-LS.py: "


SCRIPT = "RDIA-LS"  # what `invoke` calls


def command(ranks: int, *words: object) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), *map(str, words)]


def torchrun(ranks: int, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """What becomes of `torchrun --nproc-per-node RANKS WORDS`, on CPUs."""
    around = os.environ | {"CUDA_VISIBLE_DEVICES": ""} | environment
    return subprocess.run(command(ranks, *words), capture_output=True, text=True, cwd=ROOT, check=False, env=around, timeout=300)


def ours(text: str) -> list[str]:
    """The lines that the program has said, among torchrun's."""
    return [line for line in text.splitlines() if line.startswith(LINE)]


@pytest.mark.parametrize("size", [1, 7, 128])
@pytest.mark.parametrize("world", WORLDS)
def test_shares_follow_each_other_and_differ_by_one_at_most(world: int, size: int) -> None:
    shares = [range(size)[rank_share(Ranks(rank, world), size)] for rank in range(world)]
    assert [place for part in shares for place in part] == list(range(size))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def gradients(world: int, settings: Settings, epoch: int, size: int) -> dict[str, list[Tensor]]:
    """What `world` ranks, one after another, give each weight; the weights of the network, and of what is trained beside it."""
    generator = torch.Generator().manual_seed(0)
    x, labels = torch.randn(size, 4, generator=generator, dtype=torch.float64), torch.arange(size) % 3
    first, peer = (nn.Linear(4, 3, dtype=torch.float64) for _ in range(2))
    for scale, network in ((1, first), (2, peer)):
        nn.init.normal_(network.weight, std=scale, generator=torch.Generator().manual_seed(scale))
        nn.init.zeros_(network.bias)
    beside = companion(settings.method, 3, lambda: peer)
    every = [network(x).detach() for network in (first, peer)]
    kept: dict[str, list[Tensor]] = {"network": [], "companion": []}
    for rank in range(world):
        places = rank_share(Ranks(rank, world), size)
        logits, second = (among(all_, net(x[places]), places, world) for all_, net in zip(every, (first, peer), strict=True))
        if settings.method != "co-teaching":
            second = beside(logits.float())
        first.zero_grad()
        beside.zero_grad()
        take_step(Batch(logits, labels, second), settings, epoch).loss.backward()
        kept["network"].append(flat(first))
        kept["companion"].append(flat(beside))
    return kept


def flat(network: nn.Module) -> Tensor:
    """The gradients of all weights that have one."""
    return torch.cat([torch.zeros(1), *(value.grad.flatten() for value in network.parameters() if value.grad is not None)])


@pytest.mark.parametrize("size", [7, 16])
@pytest.mark.parametrize("epoch", [1, 5])
@pytest.mark.parametrize("warmup", ["released", "balanced"])
@pytest.mark.parametrize("method", METHODS)
def test_the_mean_of_the_ranks_gradients_is_the_gradient_of_one_process(method: Method, warmup: str, epoch: int, size: int) -> None:
    settings = SETTINGS._replace(method=method, warmup=warmup)  # type: ignore[arg-type]
    whole = gradients(1, settings, epoch, size)
    assert whole["network"][0].any()
    for world in WORLDS[1:]:
        found = gradients(world, settings, epoch, size)
        torch.testing.assert_close(torch.stack(found["network"]).mean(0), whole["network"][0], rtol=1e-9, atol=1e-12)
        if method == "co-teaching":
            torch.testing.assert_close(torch.stack(found["companion"]).mean(0), whole["companion"][0], rtol=1e-9, atol=1e-12)
        else:  # a transition's is whole on every rank
            assert all(torch.equal(one, whole["companion"][0]) for one in found["companion"])


def test_a_split_is_of_the_whole_batch_and_a_mean_over_its_kept() -> None:
    """Three rows on rank 0 have the small losses: the mean over 3, not the mean of the ranks' means, reaches them."""
    everything, labels = torch.tensor([[4.0, 0], [4, 0], [4, 0], [0, 4]]), torch.zeros(4, dtype=torch.int64)
    own = everything[:3].clone().requires_grad_()
    settings = SETTINGS._replace(method="self-teaching", forget_rate=0.25)
    step = take_step(Batch(among(everything, own, slice(0, 3), 2), labels, own), settings, 5)
    step.loss.backward()
    assert step.split.clean.tolist() == [0, 1, 2]
    assert own.grad is not None
    torch.testing.assert_close(own.grad[0], 2 / 3 * (everything[0].softmax(0) - torch.tensor([1.0, 0])))


def test_one_process_asks_nobody() -> None:
    assert from_first(ALONE, lambda: 3) == 3


@pytest.mark.slow
def test_two_ranks_train_what_one_process_trains(tmp_path: Path) -> None:
    """By every method, with batches that cannot be halved, and through batch norm, to rounding."""
    ended = torchrun(2, "-m", "tests.two_ranks", tmp_path)
    assert ended.returncode == 0, ended.stderr
    for rank in (0, 1):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert (found["told"], found["refused"]) == (0, "no")
        assert found["cases"].keys() == CASES.keys()
        for name, case in found["cases"].items():
            alone, together = case["epochs"]
            losses = [[epoch.pop("train_loss") for epoch in epochs][1:] for epochs in (alone, together)]
            assert together == alone, name
            assert losses[1] == pytest.approx(losses[0], rel=1e-6), name
            assert case["apart"] < 1e-10, name


def epoch_by_epoch(text: str) -> dict[str, Any]:
    """The object that --json prints, without its seconds."""
    return {key: value for key, value in json.loads(text).items() if key != "seconds"}


def kept(folder: Path) -> Checkpoint:
    found = read_checkpoint(folder)
    assert found
    return found


def test_the_script_by_two_ranks_writes_and_prints_what_one_process_does(tmp_path: Path, invoke: Invoke) -> None:
    flags = ("--n_epoch", 2, "--init_epoch", 1, "--epoch_decay_start", 2, "--json", "--result_dir")
    one = invoke(*flags, tmp_path / "one")
    two = torchrun(2, "RDIA-LS.py", *flags, tmp_path / "two")
    assert (two.returncode, two.stderr) == (0, "")
    assert epoch_by_epoch(two.stdout) == epoch_by_epoch(one.out)
    assert {path.name for path in (tmp_path / "two").iterdir()} == {path.name for path in (tmp_path / "one").iterdir()}
    weights = [kept(tmp_path / name).state["network"] for name in ("one", "two")]
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=0, atol=1e-5)
    lines = [json.loads((tmp_path / name / "results.jsonl").read_text()) for name in ("one", "two")]
    assert lines[0]["config"] == lines[1]["config"]
    assert lines[1]["device"] == "2 x cpu"


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="NCCL needs two GPUs, and they are not here")
def test_the_script_by_two_gpus(invoke: Invoke) -> None:
    flags = (*FLAGS, "--json")
    two = torchrun(2, "RDIA-LS.py", *flags, CUDA_VISIBLE_DEVICES="0,1")
    assert epoch_by_epoch(two.stdout)["last10"] == pytest.approx(epoch_by_epoch(invoke(*flags).out)["last10"], abs=3)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("after", [1, 3])
def test_after_a_rank_is_killed_any_number_of_ranks_resumes(victim: int, after: int, tmp_path: Path, invoke: Invoke) -> None:
    whole = epoch_by_epoch(invoke(*FLAGS, "--json").out)
    flags = (*FLAGS, "--json", "--result_dir", tmp_path)
    with subprocess.Popen(command(2, "RDIA-LS.py", *flags), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT) as job:
        wait_until(lambda: (tmp_path / "checkpoint.pt").exists() and len(kept(tmp_path).lines) > 3)
        children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
        os.kill(int(children[victim]), signal.SIGKILL)
        assert job.wait(timeout=60)
    assert 3 < len(kept(tmp_path).lines) < 40
    resumed = torchrun(after, "RDIA-LS.py", *flags, "--resume")
    assert epoch_by_epoch(resumed.stdout)["test_accuracy"] == pytest.approx(whole["test_accuracy"], abs=0.6)


def wait_until(true: Callable[[], bool]) -> None:
    """For a minute at most."""
    for _ in range(3000):
        if true():
            return
        time.sleep(0.02)
    raise TimeoutError


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is as torchrun starts rank 1 of 2, but for the connection."""
    around = {"TORCHELASTIC_RUN_ID": "none", "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    for name in ("init_process_group", "barrier", "destroy_process_group"):
        monkeypatch.setattr(dist, name, lambda *_, **__: None)
    monkeypatch.setattr(dist, "get_rank", lambda: int(os.environ["RANK"]))


@pytest.mark.usefixtures("second_of_two")
def test_a_rank_of_two_knows_its_place() -> None:
    places: list[Ranks] = []
    on_ranks(places.append)
    assert places == [Ranks(1, 2, 1, 2)]


@pytest.mark.usefixtures("second_of_two")
@pytest.mark.parametrize(("rank", "expected"), [("0", InputError("no")), ("1", SystemExit(2))])
def test_bad_input_is_an_error_of_the_first_rank_alone(rank: str, expected: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Ranks) -> None:
        raise InputError("no")

    monkeypatch.setenv("RANK", rank)
    with pytest.raises(type(expected)) as raised:
        on_ranks(refuse)
    assert raised.value.args == expected.args


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("--gamma", 2), ("--dataset", "nowhere"), ("--gpu", 0), ("--resume",), ("--lr", 1e30)])
def test_bad_input_of_all_ranks_is_said_once(flags: tuple[object, ...]) -> None:
    ended = torchrun(2, "RDIA-LS.py", *flags, "--json")
    assert (ended.returncode, ended.stdout) == (1, "")  # torchrun's own, of a rank's 2
    assert "exitcode  : 2" in ended.stderr
    assert len(ours(ended.stderr)) == 1
    assert str(flags[0]) in ours(ended.stderr)[0]


@pytest.mark.slow
def test_help_is_said_once() -> None:
    ended = torchrun(2, "RDIA-LS.py", "--help")
    assert (ended.returncode, ended.stderr, ended.stdout.count("usage:")) == (0, "", 1)


@pytest.mark.parametrize(
    ("ranks", "gpus", "gpu", "named"), [(2, 0, 1, "--gpu 1"), (2, 4, 1, "--gpu 1"), (3, 2, None, "--nproc-per-node 3")]
)
def test_ranks_and_gpus_that_do_not_go_together(
    ranks: int, gpus: int, gpu: int | None, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(InputError, match=named) as refused:
        choose_device(gpu, Ranks(0, ranks, 0, ranks))
    assert "\n" not in str(refused.value)


def test_each_rank_takes_the_gpu_of_its_place_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch, "set_float32_matmul_precision", lambda _: None)
    assert choose_device(None, Ranks(3, 4, 1, 2)) == torch.device("cuda", 1)
    assert chosen == [1]


def test_ranks_without_gpus_run_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(None, Ranks(1, 2, 1, 2)) == torch.device("cpu")

"""The choice of CPU or GPU."""

import torch

from data.errors import InputError
from models.devices.ranks import ALONE, Ranks


def choose_device(gpu: int | None, ranks: Ranks = ALONE) -> torch.device:
    """GPU number `gpu`; without a number the first GPU, or the CPU if there is none. Raises `InputError` if there is no such GPU.

    With several ranks each takes the GPU with its place on the machine.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if ranks.world > 1:
        gpu = local_gpu(gpu, count, ranks)
    if gpu is not None and gpu >= count:
        there = ", ".join(f"{number} ({torch.cuda.get_device_name(number)})" for number in range(count)) or "none"
        raise InputError(f"--gpu {gpu}: is not there, the GPUs here are: {there}; leave --gpu out to use what there is")
    if not count:
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")  # TF32
    return torch.device("cuda", gpu or 0)


def local_gpu(gpu: int | None, count: int, ranks: Ranks) -> int | None:
    """The number of this rank's GPU; None if there is none, and ranks run on CPUs. count: of GPUs on this machine."""
    if gpu is not None:
        raise InputError(f"--gpu {gpu}: is for one process, but torchrun starts {ranks.world}, each with its own GPU; leave it out")
    if not count:
        return None
    if ranks.local_world > count:
        raise InputError(
            f"torchrun --nproc-per-node {ranks.local_world}: there are {count} GPUs here, one for each process; start {count}"
            ' or fewer, or hide the GPUs by CUDA_VISIBLE_DEVICES="" to run on CPUs'
        )
    torch.cuda.set_device(ranks.local)
    return ranks.local


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 faster than in float32, as far as torch tells."""
    told: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cuda" or bool(told.get("avx512_bf16") or told.get("amx_bf16") or told.get("bf16"))

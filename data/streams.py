"""Named streams of random numbers from one seed: drawing more from one leaves the others as they were."""

from typing import Literal

import numpy as np

Stream = Literal["split", "noise", "random"]
STREAMS: tuple[Stream, ...] = ("split", "noise", "random")  # append only: a stream's place in the list is its key


def generator(seed: int, stream: Stream) -> np.random.Generator:
    """The generator of one named stream: `SeedSequence(seed, spawn_key=(place of the stream,))`."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAMS.index(stream),)))

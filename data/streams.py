"""Named streams of random numbers from one seed: drawing more from one leaves the others as they were."""

from typing import Literal, get_args

import numpy as np

Stream = Literal[
    "split",
    "noise",
    "random",
    "initialisation",
    "order",
    "peer",
    "subsample",
    "optlr",
    "uids",
    "choose",
    "repair",
    "halves",
    "augment",
    "drawn",
]  # append only: a stream's place in the list is its key
STREAMS: tuple[Stream, ...] = get_args(Stream)


def generator(seed: int, stream: Stream) -> np.random.Generator:
    """The generator of one named stream: `SeedSequence(seed, spawn_key=(place of the stream,))`."""
    return np.random.default_rng(_sequence(seed, stream))


def stream_seed(seed: int, stream: Stream) -> int:
    """A 64-bit seed of one named stream, for generators that are not numpy's."""
    return int(_sequence(seed, stream).generate_state(1, np.uint64)[0])


def _sequence(seed: int, stream: Stream) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(STREAMS.index(stream),))

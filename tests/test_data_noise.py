import numpy as np
import pytest

from data.noise import NoiseType, flip_count, flip_share, redraw_labels
from data.streams import STREAMS, Stream, generator, stream_seed

LABELS = np.random.default_rng(3).integers(0, 2, 997)


@pytest.mark.parametrize("seed", [0, 1, 12345])
@pytest.mark.parametrize("noise", [0.0, 0.0009, 0.2, 0.5, 0.999])
def test_flips_exactly_int_noise_n(noise: float, seed: int) -> None:
    noisy = flip_share(LABELS, noise, generator(seed, "noise"))
    assert noisy.flipped.sum() == int(noise * 997)
    assert noisy.labels[noisy.flipped].tolist() == [1 - label for label in LABELS[noisy.flipped]]
    assert noisy.labels[~noisy.flipped].tolist() == LABELS[~noisy.flipped].tolist()


@pytest.mark.parametrize("count", [0, 1, 996, 997])
def test_flips_exactly_count(count: int) -> None:
    noisy = flip_count(LABELS, count, generator(1, "random"))
    assert (noisy.labels != LABELS).sum() == noisy.flipped.sum() == count


def test_of_many_classes_each_other_one_is_as_likely() -> None:
    labels = np.arange(100_000) % 5
    noisy = flip_count(labels, 60_000, generator(1, "noise"), 5)
    assert (noisy.labels != labels).sum() == noisy.flipped.sum() == 60_000
    steps = np.bincount((noisy.labels - labels)[noisy.flipped] % 5, minlength=5)
    np.testing.assert_allclose(steps, [0, *[15_000] * 4], atol=5 * np.sqrt(15_000))


def test_the_labels_given_are_not_changed() -> None:
    labels = LABELS.copy()
    flip_share(labels, 0.5, generator(1, "noise"))
    assert labels.tolist() == LABELS.tolist()


def test_the_same_seed_flips_the_same_labels_and_another_others() -> None:
    first, again, other = (flip_share(LABELS, 0.4, generator(seed, "noise")).labels.tolist() for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_every_row_is_as_likely_to_be_flipped() -> None:
    draws, rng = 4000, generator(2, "noise")
    times = sum(flip_count(np.arange(10) % 2, 3, rng).flipped for _ in range(draws))
    spread = np.sqrt(draws * 0.3 * 0.7)  # of the binomial number of times that one row is flipped
    np.testing.assert_allclose(times, draws * 0.3, atol=5 * spread)


N, K = 100_000, 5
MANY = np.arange(N) % K


@pytest.mark.parametrize("noise_type", ["symmetric", "pairflip"])
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.8])
def test_each_label_is_redrawn_with_probability_rate(rate: float, noise_type: NoiseType) -> None:
    noisy = redraw_labels(MANY, K, rate, noise_type, generator(1, "noise"))
    assert ((noisy.labels != MANY) == noisy.flipped).all()
    assert set(noisy.labels.tolist()) == set(range(K))
    by_class = np.array([noisy.flipped[label == MANY].sum() for label in range(K)])
    np.testing.assert_allclose(by_class, rate * N / K, atol=5 * np.sqrt(N / K * rate * (1 - rate)))  # of a binomial number


def test_symmetric_noise_takes_each_wrong_class_as_often() -> None:
    noisy = redraw_labels(MANY, K, 0.5, "symmetric", generator(1, "noise"))
    share = 0.5 / (K - 1)
    for label in range(K):
        times = np.bincount(noisy.labels[label == MANY], minlength=K)
        expected = np.where(np.arange(K) == label, 0.5, share) * N / K
        np.testing.assert_allclose(times, expected, atol=5 * np.sqrt(N / K * 0.5 * 0.5))


def test_pairflip_takes_the_next_class() -> None:
    noisy = redraw_labels(MANY, K, 0.3, "pairflip", generator(1, "noise"))
    next_class = {0: 1, 1: 2, 2: 3, 3: 4, 4: 0}
    assert noisy.labels[noisy.flipped].tolist() == [next_class[label] for label in MANY[noisy.flipped].tolist()]


def test_noise_of_type_none_changes_nothing() -> None:
    noisy = redraw_labels(MANY, K, 0.8, "none", generator(1, "noise"))
    assert not noisy.flipped.any()
    assert (noisy.labels == MANY).all()


@pytest.mark.parametrize("noise_type", ["symmetric", "pairflip"])
def test_two_classes_are_flipped_and_those_given_stay(noise_type: NoiseType) -> None:
    labels = LABELS.copy()
    noisy = redraw_labels(labels, 2, 0.4, noise_type, generator(1, "noise"))
    assert 0 < noisy.flipped.sum() < len(labels)
    assert noisy.labels.tolist() == np.where(noisy.flipped, 1 - LABELS, LABELS).tolist()
    assert labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("noise_type", ["symmetric", "pairflip"])
def test_the_same_seed_redraws_the_same_labels_and_another_others(noise_type: NoiseType) -> None:
    first, again, other = (
        redraw_labels(LABELS, 2, 0.4, noise_type, generator(seed, "noise")).labels.tolist() for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("stream", STREAMS)
def test_drawing_from_one_stream_does_not_move_another(stream: Stream) -> None:
    drawn = generator(5, stream).random(100)
    for other in STREAMS:
        generator(5, other).random(1000)
    assert generator(5, stream).random(100).tolist() == drawn.tolist()


def test_streams_and_seeds_differ_from_each_other() -> None:
    firsts = {generator(seed, stream).random() for seed in range(20) for stream in STREAMS}
    seeds = {stream_seed(seed, stream) for seed in range(20) for stream in STREAMS}
    assert len(firsts) == len(seeds) == 20 * len(STREAMS)


def test_a_stream_is_the_child_of_the_seed_that_numpy_spawns_in_its_place() -> None:
    places: dict[Stream, int] = {"split": 0, "noise": 1, "random": 2, "initialisation": 3, "order": 4}
    children = np.random.SeedSequence(5).spawn(len(places))
    for stream, place in places.items():
        assert generator(5, stream).random() == np.random.default_rng(children[place]).random()
        assert stream_seed(5, stream) == children[place].generate_state(1, np.uint64)[0]

import numpy as np
import pytest
import torch

from influence.by_loss import smallest, smallest_of_each_label, split_by_loss, split_counts


@pytest.mark.parametrize(("rate", "counts"), [(0.8, (25, 52, 51)), (0.5, (64, 32, 32)), (0.2, (102, 14, 12)), (0.0, (128, 0, 0))])
def test_counts_are_those_of_the_released_split(rate: float, counts: tuple[int, int, int]) -> None:
    assert split_counts(128, rate, rate / 2) == counts


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.45, 0.7, 0.99, 0.999])
@pytest.mark.parametrize("discard", [0.0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("batch", [1, 7, 128])
def test_counts_are_never_negative_and_make_up_the_batch(rate: float, discard: float, batch: int) -> None:
    counts = split_counts(batch, rate, discard)
    assert min(counts) >= 0
    assert sum(counts) == batch
    assert counts.clean == int((1 - rate) * batch)


def test_at_99_per_cent_one_sample_is_clean_and_beyond_it_none() -> None:
    assert split_counts(128, 0.99, 0.495) == (1, 64, 63)
    assert split_counts(128, 0.995, 0.495) == (0, 65, 63)


def test_the_split_is_by_ascending_loss() -> None:
    losses = torch.tensor([0.5, 0.1, 0.9, 0.2, 0.7, 0.3])
    split = split_by_loss(losses, split_counts(6, 0.7, 0.35))
    assert split.clean.tolist() == [1]
    assert split.relabeled.tolist() == [3, 5, 0]


def test_equal_losses_keep_the_order_of_the_batch() -> None:
    split = split_by_loss(torch.zeros(10), split_counts(10, 0.5, 0.2))
    assert (split.clean.tolist(), split.relabeled.tolist()) == ([0, 1, 2, 3, 4], [5, 6, 7])


def test_smallest_are_the_smallest() -> None:
    assert smallest(torch.tensor([3.0, 1.0, 2.0]), 2).tolist() == [1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_each_label_keeps_the_same_share(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (200,), generator=generator)
    losses = torch.rand(200, generator=generator) + 10.0 * (labels == 2)  # one class starts badly
    kept = smallest_of_each_label(losses, labels, 4, 50)
    assert len(set(kept.tolist())) == 50
    for label in range(4):
        mine = (labels == label).nonzero().squeeze(1)
        chosen = [place for place in kept.tolist() if labels[place] == label]
        assert abs(len(chosen) / len(mine) - 0.25) <= 1 / len(mine)
        assert sorted(chosen) == sorted(mine[losses[mine].argsort()[: len(chosen)]].tolist())


def test_the_plain_choice_loses_the_class_that_the_balanced_one_keeps() -> None:
    labels = torch.tensor([0] * 50 + [1] * 50)
    losses = torch.arange(100.0)
    assert set(labels[smallest(losses, 50)].tolist()) == {0}
    assert np.bincount(labels[smallest_of_each_label(losses, labels, 2, 50)]).tolist() == [25, 25]


def test_a_label_that_is_not_in_the_batch_is_no_fault() -> None:
    assert sorted(smallest_of_each_label(torch.tensor([2.0, 1.0, 3.0]), torch.tensor([5, 5, 0]), 7, 3).tolist()) == [0, 1, 2]

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
    """Of 100 losses: torch sorts no more than 16 in a way that happens to."""
    losses = torch.zeros(100)
    split = split_by_loss(losses, split_counts(100, 0.5, 0.2))
    assert (split.clean.tolist(), split.relabeled.tolist()) == ([*range(50)], [*range(50, 80)])
    assert smallest(losses, 60).tolist() == [*range(60)]
    assert smallest_of_each_label(losses, torch.arange(100) % 2, 2, 100).tolist() == [*range(100)]


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


def test_each_label_gets_its_best_sample_before_any_gets_its_second_and_the_smaller_loss_comes_first() -> None:
    labels = torch.tensor([0] * 30 + [1] * 3)
    for losses in (torch.arange(33.0), -torch.arange(33.0)):
        best = sorted((int(losses[labels == label].argmin()) + 30 * label for label in (0, 1)), key=lambda place: losses[place])
        assert smallest_of_each_label(losses, labels, 2, 2).tolist() == best


def test_of_samples_with_a_label_each_the_smallest_losses_are_kept() -> None:
    losses = torch.rand(300, generator=torch.Generator().manual_seed(0))
    assert smallest_of_each_label(losses, torch.arange(300), 300, 200).tolist() == smallest(losses, 200).tolist()


def test_the_plain_choice_loses_the_class_that_the_balanced_one_keeps() -> None:
    labels = torch.tensor([0] * 50 + [1] * 50)
    losses = torch.arange(100.0)
    assert set(labels[smallest(losses, 50)].tolist()) == {0}
    assert np.bincount(labels[smallest_of_each_label(losses, labels, 2, 50)]).tolist() == [25, 25]


def test_a_label_that_is_not_in_the_batch_is_no_fault() -> None:
    assert sorted(smallest_of_each_label(torch.tensor([2.0, 1.0, 3.0]), torch.tensor([5, 5, 0]), 7, 3).tolist()) == [0, 1, 2]

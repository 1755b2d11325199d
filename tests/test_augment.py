"""Crops and flips of training pictures."""

import itertools

import pytest
import torch
from torch.nn.functional import pad

from models.augment import PADDING, drawn_moves, moved
from models.settings import AUGMENTS, Augment
from models.training import restore, snapshot, train
from tests.test_training import SETTINGS, begin, data


def test_each_picture_is_cut_and_mirrored_by_its_own_move() -> None:
    pixels = torch.rand(6, 3, 5, 7)
    moves = torch.tensor([[4, 4, 0], [4, 4, 1], [0, 0, 0], [8, 8, 0], [3, 6, 1], [5, 1, 0]])
    found = moved(pixels, moves)
    for picture, (top, left, mirrored), result in zip(pixels, moves.tolist(), found, strict=True):
        expected = pad(picture, [PADDING] * 4)[:, top : top + 5, left : left + 7]
        assert torch.equal(result, expected.flip(2) if mirrored else expected)
    assert torch.equal(found[0], pixels[0])


@pytest.mark.parametrize("augment", AUGMENTS)
def test_what_is_drawn_is_what_is_asked_for(augment: Augment) -> None:
    moves = drawn_moves(augment, 20_000, torch.Generator().manual_seed(0))
    places = set(range(2 * PADDING + 1)) if augment in {"crop", "both"} else {PADDING}
    assert [set(moves[:, axis].tolist()) for axis in (0, 1)] == [places, places]
    assert moves[:, 2].double().mean().item() == pytest.approx(0.5 if augment in {"flip", "both"} else 0.0, abs=0.02)
    counts = torch.bincount(moves[:, 0])[list(places)] * len(places) / 20_000
    assert counts.tolist() == pytest.approx([1.0] * len(places), abs=0.1)


def test_pictures_move_anew_in_each_epoch_and_a_resumed_run_goes_on_with_its_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []

    def watched(pixels: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
        seen.append(moves)
        return moved(pixels, moves)

    monkeypatch.setattr("models.training.moved", watched)
    settings = SETTINGS._replace(augment="both")
    whole = list(train(begin(settings), data(), settings))
    drawn, steps = [*seen], 100 // SETTINGS.batch_size
    assert len(drawn) == (SETTINGS.n_epoch - 1) * steps  # of training pictures alone
    assert not torch.equal(torch.cat(drawn[:steps]).sort(0).values, torch.cat(drawn[steps : 2 * steps]).sort(0).values)
    state = begin(settings)
    first = list(itertools.islice(train(state, data(), settings), 3))
    again = begin(settings)
    restore(again, snapshot(state))
    assert first + list(train(again, data(), settings, 3)) == whole

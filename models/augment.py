"""Random crops and flips of training pictures, of a whole batch at once on its device."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from models.settings import Augment

PADDING = 4  # pixels on each side, of which a crop takes off as many [He et al. 2016a]


def drawn_moves(augment: Augment, count: int, generator: torch.Generator) -> Tensor:
    """How so many pictures are moved: rows and columns cut off above and on the left, and whether mirrored, (count, 3) integers."""
    cut = torch.randint(0, 2 * PADDING + 1, (count, 2), generator=generator)
    mirrored = torch.randint(0, 2, (count, 1), generator=generator)
    if augment in {"none", "flip"}:
        cut = torch.full_like(cut, PADDING)
    return torch.cat([cut, mirrored if augment in {"flip", "both"} else torch.zeros_like(mirrored)], 1)


def moved(pixels: Tensor, moves: Tensor) -> Tensor:
    """Pictures (B, channels, h, w), padded by zeros, cut back to their size and mirrored as `moves` (B, 3) says."""
    height, width = pixels.shape[2:]
    rows = moves[:, :1] + torch.arange(height, device=pixels.device)  # (B, h)
    columns = torch.arange(width, device=pixels.device).expand(len(moves), -1)  # (B, w)
    columns = moves[:, 1:2] + torch.where(moves[:, 2:] > 0, columns.flip(1), columns)
    batch = torch.arange(len(moves), device=pixels.device)[:, None, None]
    padded = pad(pixels, [PADDING] * 4)
    return padded[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

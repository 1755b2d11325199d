"""How far a long piece of work is, told to whoever shows it."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

Progress: TypeAlias = Callable[[int, int], None]  # called with the number done and the total
Item = TypeVar("Item")
EVERY = 20  # items between two calls, which take longer than a small picture


def silent(_done: int, _total: int) -> None:
    """Progress that is not shown."""


def telling(items: Iterable[Item], total: int, progress: Progress) -> Iterator[Item]:
    """The items, `total` of them, which are counted as they come."""
    for done, item in enumerate(items, 1):
        if done % EVERY == 0 or done == total:
            progress(done, total)
        yield item

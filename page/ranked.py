"""What the review page shows of a run by the protocol auto: its samples, most surely wrong first, or some drawn at random."""

import numpy as np

from influence.rows import in_memory
from models.examine import MORE_LIKELY
from models.pool import entropy
from page.alike import ALIKE_SAMPLES, alike, examples
from page.review import CARRIED_SAMPLES, NO_HISTOGRAM, Review, abouts, at_random, explained, of_pictures, of_samples, pictures_of
from page.sprites import Sprites
from run.records import Record
from run.repairing import Found, most_suspect, suggested_places

OF_REPAIR = ("dataset", "fdr", "wrong_labels", "listed", "seed", "n_train", "n_trusted", "n_test", "methods")


def ranked_review(found: Found, draw: int | None = None) -> Review:
    """The review of a run. Its labels are those before a person's decisions, which the browser has kept.

    draw: show so many training rows, drawn at random.
    """
    dataset, repaired, given = found.dataset, found.repaired, found.given
    first = at_random(len(given.labels), draw, found.record["seed"]) if draw else most_suspect(found)[:CARRIED_SAMPLES]
    labels, rows = given.labels[first], dataset.train.rows[first]
    q, likeliest = repaired.labels[first], other_labels(repaired.labels[first], labels)
    suggested = likeliest if q.shape[1] == 2 else suggested_places(found)[first]
    pictures, uncertainty = pictures_of(dataset, first), np.zeros(0) if draw else entropy(q).astype(np.float32)
    return Review(
        facts=facts_of_repair(found, pictures, len(first) if draw else None),
        phi=np.zeros(0),
        eta=np.zeros(0),
        uncertainty=uncertainty,
        counts=np.zeros((2, 0)),
        about=np.array(abouts(dataset, rows, pictures.held), dtype=str),
        **explained(dataset, first, repaired.weights, labels, likeliest),
        **of_samples(rows, labels, suggested, q, given.flipped, first),
        **of_pictures(pictures),
        **alike_rows(found, first, uncertainty, likeliest),
    )


def alike_rows(found: Found, first: np.ndarray, uncertainty: np.ndarray, likeliest: np.ndarray) -> dict[str, np.ndarray]:
    """The fields that show rows like the samples at the top of each order; none of rows on disk, which are many."""
    x, repaired, given = found.dataset.train.x, found.repaired, found.data.given
    if not in_memory(x):
        return {}
    top = np.argsort(-uncertainty, kind="stable")[:ALIKE_SAMPLES]
    samples = np.union1d(np.arange(min(ALIKE_SAMPLES, len(first))), top)
    pairs = np.stack([found.given.labels[first[samples]], likeliest[samples]], axis=1)
    rows = alike(x, repaired.labels, repaired.probabilities, given, first[samples], pairs)
    return examples(samples, rows, found.dataset, given)


def other_labels(q: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The likeliest label but the given one, (n,). q: (n, K)."""
    others = q.copy()
    others[np.arange(len(q)), given] = -1.0
    return others.argmax(axis=1)


def facts_of_repair(found: Found, pictures: Sprites, drawn: int | None) -> Record:
    """What the page says of the run. drawn: how many rows it shows that were drawn at random."""
    return {
        **{name: found.record[name] for name in OF_REPAIR},
        **NO_HISTOGRAM,
        "order": "drawn" if drawn else "wrong",
        "suspects": drawn or int((found.repaired.p_wrong > MORE_LIKELY).sum()),
        "decided": found.record["decided"]["labels"] if found.decided else None,
        "flipped": int(found.given.flipped.sum()),
        "run": found.key,
        "classes": list(found.dataset.classes),
        "tile": [pictures.height, pictures.width],
        "pictures": pictures.held,
    }

"""What the review page shows of a run by the protocol auto: its samples, most surely wrong first."""

import numpy as np

from models.pool import entropy, suggestions
from page.review import CARRIED_SAMPLES, EXPLAINED, NO_HISTOGRAM, Review, abouts, feature_name, feature_pulls, pictures_of
from page.sprites import Sprites
from run.records import Record
from run.repairing import MORE_LIKELY, Found

OF_REPAIR = ("dataset", "fdr", "wrong_labels", "listed", "seed", "n_train", "n_trusted", "n_test", "methods")


def ranked_review(found: Found) -> Review:
    """The review of a run. Its labels are those before a person's decisions, which the browser has kept."""
    dataset, repaired, given = found.dataset, found.repaired, found.given
    first = np.argsort(-repaired.p_wrong, kind="stable")[:CARRIED_SAMPLES]
    labels, rows, places = given.labels[first], dataset.train.rows[first], np.arange(len(first))
    q, likeliest = repaired.labels[first], other_labels(repaired.labels[first], labels)
    suggested = likeliest if q.shape[1] == 2 else suggested_places(found)[first]
    pictures = pictures_of(dataset, first)
    explained = 0 if dataset.shape or dataset.beside else EXPLAINED
    pulled = feature_pulls(dataset.train.x[first[:explained]], repaired.weights, labels, likeliest)
    used = np.unique(pulled.columns[pulled.columns >= 0])
    return Review(
        facts=facts_of_repair(found, pictures),
        rows=rows.astype(np.uint32),
        phi=np.zeros(0),
        eta=np.zeros(0),
        given=labels.astype(np.uint16),
        suggested=suggested.astype(np.uint16),
        p_given=q[places, labels].astype(np.float32),
        p_suggested=q[places, suggested].astype(np.float32),
        uncertainty=entropy(q).astype(np.float32),
        flipped=given.flipped[first] if given.flipped.any() else np.zeros(0, dtype=bool),
        counts=np.zeros((2, 0)),
        names=np.array([feature_name(dataset, column) for column in used], dtype=str),
        **pulled._replace(columns=np.where(pulled.columns < 0, -1, np.searchsorted(used, pulled.columns)))._asdict(),
        about=np.array(abouts(dataset, rows, pictures.held), dtype=str),
        sheets=np.frombuffer(b"".join(pictures.sheets), dtype=np.uint8),
        ends=np.cumsum([len(sheet) for sheet in pictures.sheets], dtype=np.int64),
    )


def other_labels(q: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The likeliest label but the given one, (n,). q: (n, K)."""
    others = q.copy()
    others[np.arange(len(q)), given] = -1.0
    return others.argmax(axis=1)


def suggested_places(found: Found) -> np.ndarray:
    """The suggested label of each training row, (n,), the given one where no other is suggested."""
    data, repaired = found.data, found.repaired
    other = suggestions(repaired.labels, repaired.probabilities, data.given)
    return np.where(other < 0, data.given, other)


def facts_of_repair(found: Found, pictures: Sprites) -> Record:
    """What the page says of the run."""
    return {
        **{name: found.record[name] for name in OF_REPAIR},
        **NO_HISTOGRAM,
        "order": "wrong",
        "suspects": int((found.repaired.p_wrong > MORE_LIKELY).sum()),
        "decided": found.record["decided"]["labels"] if found.decided else None,
        "flipped": int(found.given.flipped.sum()),
        "run": found.key,
        "classes": list(found.dataset.classes),
        "tile": [pictures.height, pictures.width],
        "pictures": pictures.held,
    }

"""What the review page shows of a run of RDIA-LS: the samples of suspects.csv first, then the others, least likely label first."""

import numpy as np

from page.review import CARRIED_SAMPLES, FEATURES, NO_HISTOGRAM, Review, at_random, of_pictures, of_samples
from page.sprites import Sprites, sprites
from run.prepare import Prepared
from run.rdia_ls import Trained
from run.records import Record
from run.suspects import suspects

OF_RECORD = ("dataset", "method", "noise_rate", "seed", "epochs", "last10", "best")


def training_review(found: Trained, draw: int | None = None) -> Review:
    """The review of a run. Its labels are those before a person's decisions, which the browser has kept.

    draw: show so many samples, drawn at random.
    """
    ready, given, p = found.ready, found.ready.given, found.p
    listed = suspects(p, given.labels).places
    if draw:
        first = at_random(len(p), draw, found.record["seed"])
    else:
        others = np.setdiff1d(np.arange(len(p)), listed)
        others = others[np.argsort(p[others, given.labels[others]], kind="stable")]
        first = np.concatenate([listed, others])[:CARRIED_SAMPLES]
    labels, best, none = given.labels[first], p[first].argmax(axis=1), np.zeros((0, FEATURES))
    pictures = drawn(ready, first)
    files = [ready.files[place] for place in first[: pictures.held]] if ready.files else []
    return Review(
        facts=facts_of(found, len(first) if draw else len(listed), pictures, "drawn" if draw else "loss"),
        phi=np.zeros(0),
        eta=np.zeros(0),
        uncertainty=np.zeros(0),
        counts=np.zeros((2, 0)),
        names=np.zeros(0, dtype=str),
        columns=none,
        values=none,
        pulls=none,
        about=np.array(files, dtype=str),
        **of_samples(ready.rows[first], labels, best, p[first], given.flipped, first),
        **of_pictures(pictures),
    )


def facts_of(found: Trained, listed: int, pictures: Sprites, order: str) -> Record:
    """What the page says of the run. listed: the number of suspects, or of samples drawn at random."""
    ready, given = found.ready, found.ready.given
    return {
        **{name: found.record[name] for name in OF_RECORD},
        **NO_HISTOGRAM,
        "order": order,
        "estimated": ready.rate is not None,
        "noisy_test": ready.noisy_test,
        "suspects": listed,
        "decided": ready.decided["labels"] if ready.decided else None,
        "flipped": int(given.flipped.sum()),
        "n_train": len(found.p),
        "n_trusted": found.record.get("trusted_rows", 0),
        "n_test": len(ready.data.labels_test),
        "run": ready.key,
        "classes": list(ready.classes),
        "tile": [pictures.height, pictures.width],
        "pictures": pictures.held,
    }


def drawn(ready: Prepared, places: np.ndarray) -> Sprites:
    """The pictures at these places of the training samples; none for rows, or channels that are no colours."""
    x = ready.data.x.cpu().numpy()
    n, channels, height, width = x.shape
    if height == 1 or channels not in {1, 3}:
        return Sprites([], 0, 0, 0)
    return sprites(x.reshape(n, -1), places, (channels, height, width) if channels == 3 else (height, width))

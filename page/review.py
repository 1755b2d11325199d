"""What the review page shows of a run: its samples, most harmful first. Kept as audit.npz in the result directory."""

import json
import logging
import sys
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, softmax

from data.arrays import digest, read_arrays
from data.dataset import Dataset
from data.errors import InputError
from data.files import replacing
from data.matrix import Features
from data.noise import NoisyLabels
from data.streams import generator
from data.table import described_rows
from influence.solvers import SolverError
from models.choose import Point, TooFewRowsError, choose
from models.model import Scores
from page.sprites import BUDGET, Sprites, file_sprites, sprites
from run.flags import command_again
from run.phi_plot import bins_of
from run.rdia import Config, Outcome, key
from run.records import Record, remove

REVIEW = "audit.npz"
CARRIED_SAMPLES = 60_000  # the page holds this many samples, the most harmful ones, to stay below 5 MB
EXPLAINED = 5_000  # it shows the features of so many of these, unless the samples are pictures
LONGEST_TEXT = 1_000  # characters of a text that it shows
FEATURES = 5  # of each sample, those with the strongest pull
FACTS = (
    "run",
    "dataset",
    "model",
    "alpha",
    "alpha_chosen",
    "relabel",
    "seed",
    "flipped",
    "n_train",
    "n_validation",
    "n_test",
    "methods",
    "curve",
)
NOTHING = np.zeros(0, dtype=np.int64)
NO_HISTOGRAM = {"alpha": 0.0, "curve": [], "edges": [0.0], "linear": 1.0}  # where the page's part that chooses alpha is hidden
NEEDS_RUN = "give the --result_dir of a finished run, or run it again with --audit"

log = logging.getLogger(__name__)


class Pulls(NamedTuple):
    """The features with the strongest pull, of each of n samples."""

    columns: np.ndarray  # (n, FEATURES) of x, counted from 0; -1 fills up a sample with fewer features
    values: np.ndarray  # (n, FEATURES) of x there
    pulls: np.ndarray  # (n, FEATURES) towards the suggested label


class Review(NamedTuple):
    """m samples, largest Phi first; without Phi and eta in the order of `page.ranked` or `page.trained`.

    Labels are places in facts["classes"].
    """

    facts: Record  # `FACTS` of the run, "classes", the histogram's "edges" and the size of a picture
    rows: np.ndarray  # (m,) 0-based row in the source
    phi: np.ndarray  # (m,)
    eta: np.ndarray  # (m,) for changing the label to the suggested one
    given: np.ndarray  # (m,)
    suggested: np.ndarray  # (m,)
    p_given: np.ndarray  # (m,) probability of that label, by the fit on the labels as given
    p_suggested: np.ndarray  # (m,)
    uncertainty: np.ndarray  # (m,) of the true label, in nats; (0,) where the page has one order
    flipped: np.ndarray  # (m,) bool, flipped on purpose; (0,) without injected noise
    counts: np.ndarray  # (2, bins) histogram of Phi of all n samples: those not flipped, and those flipped
    names: np.ndarray  # (c,) text, the features that are shown
    columns: np.ndarray  # (f, FEATURES) `Pulls` of the first f samples, places in `names`; f is 0 for pictures and networks
    values: np.ndarray  # (f, FEATURES)
    pulls: np.ndarray  # (f, FEATURES)
    about: np.ndarray  # (s,) text, what each sample is: the file of a picture, or the row of a table; (0,) for other rows
    sheets: np.ndarray  # bytes of the PNG sheets (`page.sprites`), one after another
    ends: np.ndarray  # (number of sheets,) where each ends
    alike_samples: np.ndarray = NOTHING  # (s,) places of the samples that other rows are shown with (`page.alike`)
    alike: np.ndarray = NOTHING  # (s, 2 ALIKE_EACH) places of these rows among the examples, -1 for none
    example_rows: np.ndarray = NOTHING  # (e,) 0-based row in the source
    example_labels: np.ndarray = NOTHING  # (e,)
    example_about: np.ndarray = np.zeros(0, dtype=str)  # (e,) text as in `about`
    example_sheets: np.ndarray = np.zeros(0, dtype=np.uint8)  # bytes of their PNG sheets
    example_ends: np.ndarray = NOTHING  # (number of their sheets,)


def make_review(outcome: Outcome, config: Config, with_curve: bool) -> Review:
    """The review of a run. with_curve: compute the validation loss for a grid of alpha, if the run has not done so."""
    record, dataset, given, model, weights = outcome.record, outcome.dataset, outcome.given, outcome.model, outcome.weights
    mode, linear, x = record["relabel"], config.model == "linear", model.inputs(dataset.train.x)
    curve = [point for point in record.get("curve", []) if point["relabel"] == mode]
    if with_curve and linear and len(curve) < 2:  # not for networks: each fit takes too long
        curve = [point._asdict() for point in losses_by_alpha(outcome, config)]
    facts = {
        **record,
        "curve": curve,
        "run": key(config, dataset, given),
        "model": f"{'logistic' if model.classes == 2 else 'softmax'} regression" if linear else f"network ({config.model})",
        "alpha_chosen": config.alpha is None,
        "flipped": int(given.flipped.sum()),
    }
    return review_of(facts, dataset, given, outcome.scores, model.logits(x, weights), weights if linear else None)


def losses_by_alpha(outcome: Outcome, config: Config) -> list[Point]:
    """The validation loss for a grid of alpha; none, and a note, if it cannot be computed: the page works without it."""
    model, dataset, mode = outcome.model, outcome.dataset, outcome.record["relabel"]
    train = model.inputs(dataset.train.x), outcome.given.labels
    validation = model.inputs(dataset.validation.x), dataset.validation.labels
    try:
        return choose(model, train, validation, outcome.weights, (mode,), generator(config.seed, "choose")).curve
    except (SolverError, TooFewRowsError) as error:
        log.warning("note: the page shows no validation loss by alpha: %s", error)
        return []


def review_of(
    facts: Record, dataset: Dataset, given: NoisyLabels, scores: Scores, logits: np.ndarray, weights: np.ndarray | None
) -> Review:
    """Sort the samples of a run by Phi, and cut the list to what the page holds.

    facts: with the names of `FACTS`; logits: (n,) or (n, K) of the training rows, from the fit on the labels as given; weights:
    of that fit, (d,) or (K, d), None unless the model is linear.
    """
    first = np.argsort(-scores.phi, kind="stable")[:CARRIED_SAMPLES]
    labels, best, rows = given.labels[first], scores.best[first], dataset.train.rows[first]
    p, bins = probabilities(logits[first]), bins_of(scores.phi)
    parts = (scores.phi[~given.flipped], scores.phi[given.flipped])
    pictures = pictures_of(dataset, first)
    known = {name: facts[name] for name in FACTS}
    axis = {"linear": bins.linear, "edges": bins.edges.tolist()}
    tile = {"tile": [pictures.height, pictures.width], "pictures": pictures.held}
    return Review(
        facts={**known, "order": "influence", "classes": list(dataset.classes), **axis, **tile},
        phi=scores.phi[first],
        eta=scores.eta_best[first].astype(np.float32),
        uncertainty=np.zeros(0),
        counts=np.array([np.histogram(part, bins.edges)[0] for part in parts], dtype=np.uint32),
        about=np.array(abouts(dataset, rows, pictures.held), dtype=str),
        **explained(dataset, first, weights, labels, best),
        **of_samples(rows, labels, best, p, given.flipped, first),
        **of_pictures(pictures),
    )


def at_random(n: int, count: int, seed: int) -> np.ndarray:
    """Places of so many of n training rows, drawn at random, as many as a page holds; a larger draw begins with a smaller one."""
    return generator(seed, "drawn").permutation(n)[: min(count, CARRIED_SAMPLES)]


def of_samples(
    rows: np.ndarray, given: np.ndarray, suggested: np.ndarray, p: np.ndarray, flipped: np.ndarray, first: np.ndarray
) -> dict[str, np.ndarray]:
    """The fields of a review that every order has. p: (m, K), flipped: (n,) bool, first: (m,) places of the samples in it."""
    places = np.arange(len(rows))
    return {
        "rows": rows.astype(np.uint32),
        "given": given.astype(np.uint16),
        "suggested": suggested.astype(np.uint16),
        "p_given": p[places, given].astype(np.float32),
        "p_suggested": p[places, suggested].astype(np.float32),
        "flipped": flipped[first] if flipped.any() else np.zeros(0, dtype=bool),
    }


def of_pictures(pictures: Sprites) -> dict[str, np.ndarray]:
    """The fields of a review that hold its pictures."""
    return {"sheets": joined_sheets(pictures), "ends": ends_of(pictures)}


def joined_sheets(pictures: Sprites) -> np.ndarray:
    """The bytes of all sheets."""
    return np.frombuffer(b"".join(pictures.sheets), dtype=np.uint8)


def ends_of(pictures: Sprites) -> np.ndarray:
    """Where each sheet ends in them."""
    return np.cumsum([len(sheet) for sheet in pictures.sheets], dtype=np.int64)


def explained(
    dataset: Dataset, first: np.ndarray, weights: np.ndarray | None, given: np.ndarray, suggested: np.ndarray
) -> dict[str, np.ndarray]:
    """The fields of a review that explain its samples by their features; empty where these say nothing to a person."""
    count = 0 if dataset.shape or dataset.beside or weights is None else EXPLAINED
    pulled = feature_pulls(dataset.train.x[first[:count]], weights, given, suggested)
    used = np.unique(pulled.columns[pulled.columns >= 0])
    places = np.where(pulled.columns < 0, -1, np.searchsorted(used, pulled.columns)).astype(np.int32)
    names = np.array([feature_name(dataset, column) for column in used], dtype=str)
    return {"names": names, **pulled._replace(columns=places)._asdict()}


def feature_name(dataset: Dataset, column: int) -> str:
    """What the user calls a feature."""
    if dataset.features:
        return str(dataset.features[column])
    return f"column {column if dataset.columns is None else dataset.columns[column]}"


def abouts(dataset: Dataset, rows: np.ndarray, pictures: int) -> list[str]:
    """What the first samples are. rows: (m,) in the source, pictures: how many the page holds."""
    if dataset.table:
        return described_rows(dataset.table, rows[:EXPLAINED])
    if dataset.texts:
        return [shorten(dataset.texts[row], LONGEST_TEXT, placeholder=" ...") for row in rows[:EXPLAINED]]
    return [dataset.files[row] for row in rows[: pictures or EXPLAINED]] if dataset.files else []


def pictures_of(dataset: Dataset, places: np.ndarray, budget: int = BUDGET) -> Sprites:
    """The pictures of these training samples: of their features, or of the files that their vectors are made from, or none."""
    if dataset.shape:
        return sprites(dataset.train.x, places, dataset.shape, budget)
    if dataset.beside and dataset.files:
        return file_sprites([dataset.beside / dataset.files[row] for row in dataset.train.rows[places]], budget)
    return Sprites([], 0, 0, 0)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """(n, K) from logits, (n,) for two classes and (n, K) for more."""
    return softmax(logits, axis=1) if logits.ndim == 2 else np.stack([expit(-logits), expit(logits)], axis=1)


def feature_pulls(x: Features, weights: np.ndarray | None, given: np.ndarray, suggested: np.ndarray) -> Pulls:
    """The features of each sample with the strongest pull, strongest first.

    The pull of feature j is x_ij (w_suggested - w_given)_j. Above 0 it speaks for the suggested label; the pulls of all features
    add up to ln(p_suggested / p_given). x: (n, d), weights: (d,) for two classes, (K, d) for more, None: no pulls.
    """
    n = x.shape[0]
    found = Pulls(np.full((n, FEATURES), -1, dtype=np.int32), *np.zeros((2, n, FEATURES), dtype=np.float32))
    if weights is None:
        return found
    W = weights if weights.ndim == 2 else np.stack([np.zeros_like(weights), weights])
    rows = sp.csr_array(x)
    for i in range(n):
        stored = slice(rows.indptr[i], rows.indptr[i + 1])
        values, columns = rows.data[stored], rows.indices[stored]
        pulls = values * (W[suggested[i], columns] - W[given[i], columns])
        most = np.argsort(-np.abs(pulls), kind="stable")[:FEATURES]
        for array, cells in zip(found, (columns, values, pulls), strict=True):
            array[i, : len(most)] = cells[most]
    return found


def with_command(review: Review) -> Review:
    """The review with the command line of this process, which the page shows for the run on decisions."""
    return review._replace(facts={**review.facts, "command": command_again(sys.argv)})


def save_review(review: Review | None, folder: Path) -> None:
    """Write audit.npz, whole or not at all; without a review remove that of an earlier run. Raises `InputError`."""
    if not review:
        remove(folder / REVIEW)
        return
    arrays = {**review._asdict(), "facts": np.array(json.dumps(review.facts, allow_nan=False))}
    try:
        with replacing(folder / REVIEW) as file:
            np.savez_compressed(file, **arrays, digest=digest(arrays.values()))
    except OSError as error:
        raise InputError(
            f"{folder / REVIEW}: cannot be written ({error.strerror}); make room, or give another --result_dir"
        ) from error


def load_review(folder: Path) -> Review:
    """Read what `save_review` wrote. Raises `InputError` if there is none, or it is damaged."""
    path = folder / REVIEW
    try:
        arrays = read_arrays(path, {*Review._fields, "digest"}.__contains__)
        written = str(arrays.pop("digest"))
        if written == digest(arrays[name] for name in Review._fields):
            return Review(**{**arrays, "facts": json.loads(str(arrays["facts"]))})
        fault = "its content has changed"
    except FileNotFoundError as error:
        raise InputError(f"{path}: is not there; {NEEDS_RUN}") from error
    except KeyError as error:
        fault = f"it has no {error}"
    except (OSError, ValueError) as error:
        fault = str(error)
    raise InputError(f"{path}: is damaged, or not from a run ({fault}); {NEEDS_RUN}")

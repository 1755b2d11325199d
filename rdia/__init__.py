"""RDIA: find training labels that do harm by their influence on the validation loss, and relabel them.

    from rdia import RDIAClassifier

These names are the public ones. Each is imported when it is asked for, so that `import rdia` loads neither torch nor scikit-learn.
In a clone they come from the folders beside this one, in an installation from `rdia.data`, `rdia.models` and so on.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

HOMES = {
    **dict.fromkeys(("Fit", "Influence", "logistic_influence"), "influence.logistic"),
    **dict.fromkeys(("LabelInfluence", "SoftmaxFit", "softmax_influence"), "influence.softmax"),
    **dict.fromkeys(("harmful", "relabel"), "influence.relabel"),
    **dict.fromkeys(("Solution", "SolverError"), "influence.solvers"),
    **dict.fromkeys(("LabelledTensors", "network_influence"), "influence.network"),
    "fit_logistic": "models.logistic_regression",
    "fit_softmax": "models.softmax_regression",
    "RDIAClassifier": "models.estimator",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'rdia' has no attribute '{name}'")
    return getattr(importlib.import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *HOMES])

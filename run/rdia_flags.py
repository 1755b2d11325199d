"""The flags of RDIA.py, and the run that they ask for."""

import argparse
from typing import Literal

from data.dataset import Validation, is_libsvm
from data.errors import InputError
from data.public import ROW_SETS
from influence.logistic import SOLVERS
from run.flags import (
    Parser,
    add_data_dir,
    add_output,
    count,
    number_or_auto,
    place,
    positive,
    rate,
    seed,
    weight,
)  # fmt: skip
from run.rdia import MODELS, RELABELS, Config


def rdia_parser(description: str | None = None) -> Parser:
    """The parser; `description` is what --help begins with."""
    flags = Parser("RDIA.py", description)
    data = flags.add_argument_group("data")
    data.add_argument(
        "--dataset", default="wdbc", help=f"{', '.join(ROW_SETS)}, or a LIBSVM file, an .npz or a folder of pictures [wdbc]"
    )
    data.add_argument("--noise", type=rate, default=0.4, help="share of the training labels to flip; 0: labels as they are [0.4]")
    data.add_argument(
        "--validation",
        choices=["train", "test"],
        help="where validation rows are taken from, if the data has none of its own [train; networks: test]",
    )
    data.add_argument("--n_validation", type=count, help="how many [30%% of the training rows; 100 of the test rows]")
    add_data_dir(data)
    method = flags.add_argument_group("method")
    method.add_argument("--alpha", type=number_or_auto, default=0.0002, help="relabel samples with Phi above it, or auto [0.0002]")
    method.add_argument(
        "--relabel",
        choices=RELABELS,
        default="R",
        help="R: as in the paper; best: to the label that helps most; drop: leave out; auto: chosen as alpha is [R]",
    )
    method.add_argument("--model", choices=MODELS, default="linear", help="logistic or softmax regression, or a network [linear]")
    method.add_argument("--C", type=weight, help="weight of the losses against the penalty; linear models only [0.1]")
    method.add_argument(
        "--solver",
        choices=(*SOLVERS, "lissa"),
        default="auto",
        help="how the Hessian is inverted: cholesky, cg, for networks cg or lissa, or by the sizes [auto]",
    )
    method.add_argument("--damping", type=positive, help="added to a network's curvature [a tenth of its largest eigenvalue]")
    method.add_argument("--n_epoch", type=count, help="epochs of a network, or as many as 300 steps take [10]")
    method.add_argument("--seed", type=seed, default=1, help="of split, noise, Random and the network's start and order [1]")
    output = flags.add_argument_group("output")
    output.add_argument("--audit", type=place, metavar="PAGE.html", help="write the page where a person reviews the suggestions")
    output.add_argument("--labels", type=place, metavar="DECIDED.csv", help="also fit on these decisions, exported from that page")
    output.add_argument("--result_dir", type=place, help="append the run to results.jsonl there, write relabeled.csv and pictures")
    add_output(output)
    where = flags.add_argument_group("where it runs")
    where.add_argument("--gpu", type=seed, help="number of the GPU [networks: the first, else the CPU; linear models: the CPU]")
    where.add_argument("--block_rows", type=count, help="keep a LIBSVM file's rows on disk, and read so many at a time")
    where.add_argument("--dask", metavar="ADDRESS", help="keep a LIBSVM file's rows on the workers of this Dask scheduler")
    return flags


def rdia_config(flags: argparse.Namespace) -> Config:
    """The run that the flags ask for. Raises `InputError` for flags that do not go together."""
    if flags.solver not in MODELS[flags.model]:
        expected = ", ".join(MODELS[flags.model])
        raise InputError(f"--solver {flags.solver}: is not for --model {flags.model}, expected one of {expected}")
    if flags.model == "linear" and flags.gpu is not None and flags.solver == "cholesky":
        raise InputError(f"--gpu {flags.gpu}: has no Cholesky solver; give --solver cg, or leave --solver out")
    for name, models in (("C", "linear"), ("damping", "mlp or cnn"), ("n_epoch", "mlp or cnn")):
        if getattr(flags, name) is not None and flags.model not in models:
            raise InputError(f"--{name} {getattr(flags, name):g}: is for --model {models}, not for {flags.model}; leave it out")
    for name in ("block_rows", "dask"):
        if getattr(flags, name):
            refuse_beside(f"--{name} {getattr(flags, name)}", flags)
    fields = {
        name: value for name, value in vars(flags).items() if name in Config._fields and (value is not None or name == "alpha")
    }
    part: Literal["train", "test"] = flags.validation or ("train" if flags.model == "linear" else "test")
    return Config(**{**fields, "validation": Validation(part, flags.n_validation)})


def refuse_beside(flag: str, flags: argparse.Namespace) -> None:
    """Raise `InputError` where this flag is of no use: the data set or another flag needs the rows in another place."""
    if not is_libsvm(flags.dataset):
        raise InputError(f"{flag}: is for LIBSVM files, and --dataset {flags.dataset} is not one; leave it out")
    wrong = {
        "--model": flags.model != "linear",
        "--gpu": flags.gpu is not None,
        "--solver": flags.solver == "cholesky",
        "--audit": flags.dask and flags.audit,
        "--labels": flags.dask and flags.labels,
        "--block_rows": flags.dask and flags.block_rows,
    }
    for name in (name for name, given in wrong.items() if given):
        value = getattr(flags, name.removeprefix("--"))
        raise InputError(f"{flag}: does not go with {name} {value}, which needs the rows in another place; leave one of them out")

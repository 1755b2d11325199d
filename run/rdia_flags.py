"""The flags of RDIA.py, and the configuration they stand for."""

import argparse
from typing import Literal

from data.dataset import Validation, is_libsvm
from data.errors import InputError
from data.public import ROW_SETS
from data.table import LABEL_NAMES, TableColumns
from influence.logistic import SOLVERS
from models.repair import LEAST_TRUSTED
from run.exports import FORMATS_WRITTEN
from run.flags import (
    Parser,
    add_data_dir,
    add_draw,
    add_output,
    add_size,
    check_draw,
    count,
    level,
    number_or_auto,
    place,
    positive,
    rate,
    seed,
    weight,
)  # fmt: skip
from run.rdia import MODELS, RELABELS, Config

PROTOCOLS = ("paper", "auto")
ALPHA, RELABEL = 0.0002, "R"  # [paper]
NOT_WITH_PAPER = ("fdr", "export", "draw")
# Flags of the paper's protocol alone: they have no default but None, ...
NOT_WITH_AUTO = ("validation", "n_validation", "C", "damping", "n_epoch", "gpu")
DEFAULTS_OF_PAPER = {"alpha": ALPHA, "relabel": RELABEL, "model": "linear", "solver": "auto"}  # ... or this


def rdia_parser(description: str | None = None) -> Parser:
    """The parser. description: the text that --help begins with."""
    flags = Parser("RDIA.py", description)
    _add_data(flags)
    _add_method(flags.add_argument_group("method"))
    output = flags.add_argument_group("output")
    output.add_argument("--audit", type=place, metavar="PAGE.html", help="write a page where a person reviews the suggestions")
    add_draw(output, "auto: ")
    output.add_argument(
        "--labels",
        type=place,
        metavar="DECIDED.csv",
        help="fit on decisions: the CSV that the page exports, or the JSON of Label Studio",
    )
    output.add_argument(
        "--result_dir", type=place, help="folder for the ranking, your table with what was found, and a line in results.jsonl"
    )
    output.add_argument(
        "--export",
        nargs="+",
        choices=FORMATS_WRITTEN,
        help="auto: also write cleanlab's columns, or tasks for Label Studio, into --result_dir",
    )
    add_output(output)
    where = flags.add_argument_group("where it runs")
    where.add_argument("--gpu", type=seed, help="number of the GPU [networks: the first, else the CPU; linear models: the CPU]")
    where.add_argument("--block_rows", type=count, help="keep the rows of a LIBSVM file on disk, and read so many at a time")
    where.add_argument("--dask", metavar="ADDRESS", help="keep the rows of a LIBSVM file on the workers of this Dask scheduler")
    return flags


def _add_data(flags: Parser) -> None:
    data = flags.add_argument_group("data")
    own = "a CSV or other table, a LIBSVM file, an .npz or a folder of pictures"
    data.add_argument("--dataset", default="wdbc", help=f"{', '.join(ROW_SETS)}, or {own} [wdbc]")
    data.add_argument("--noise", type=rate, help="share of the training labels to flip; 0: keep the labels [0.4; of a path 0]")
    data.add_argument(
        "--validation",
        choices=["train", "test"],
        help="where validation rows come from, if the data has none of its own [train; networks: test]",
    )
    data.add_argument(
        "--n_validation", type=count, help="how many validation rows [30%% of the training rows; 100 of the test rows]"
    )
    add_size(data)
    add_data_dir(data)
    table = flags.add_argument_group("your own table")
    table.add_argument("--label_column", metavar="NAME", help=f"the column of the labels [{', '.join(LABEL_NAMES)}]")
    table.add_argument("--text_columns", type=names, metavar="A,B", help="columns that are text [found by their words]")
    table.add_argument("--ignore_columns", type=names, metavar="A,B", help="columns that are not used")
    table.add_argument("--part_column", metavar="NAME", help="the column that says train, validation or test of each row")


def names(text: str) -> tuple[str, ...]:
    """The value of a flag that takes several names."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _add_method(method: argparse._ArgumentGroup) -> None:
    method.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        help="paper: one pass, by the flags below; auto: everything chosen by cross-fitting over the trusted rows [of a path auto,"
        " unless a flag of the other is given; else paper]",
    )
    method.add_argument("--fdr", type=level, help="auto: at most this share of the listed suspects is right, in expectation [0.1]")
    method.add_argument("--alpha", type=number_or_auto, default=ALPHA, help="relabel samples with Phi above it, or auto [0.0002]")
    method.add_argument(
        "--relabel",
        choices=RELABELS,
        default=RELABEL,
        help="R: as in the paper; best: to the label that helps most; drop: leave out; auto: chosen with alpha [R]",
    )
    method.add_argument("--model", choices=MODELS, default="linear", help="logistic or softmax regression, or a network [linear]")
    method.add_argument("--C", type=weight, help="weight of the losses against the penalty; linear models only [0.1]")
    method.add_argument(
        "--solver",
        choices=(*SOLVERS, "lissa"),
        default="auto",
        help="how the Hessian is inverted: cholesky or cg, for networks cg or lissa, or by the sizes [auto]",
    )
    method.add_argument("--damping", type=positive, help="added to a network's curvature [chosen by validation rows]")
    method.add_argument("--n_epoch", type=count, help="epochs of a network, at least as many as 300 steps take [10]")
    method.add_argument("--seed", type=seed, default=1, help="of split, noise, Random, and a network's start and batches [1]")


def rdia_config(flags: argparse.Namespace) -> Config:
    """The configuration of the flags. Raises `InputError` if flags contradict each other."""
    own = flags.dataset not in ROW_SETS
    if flags.protocol is None:
        flags.protocol = "auto" if own and not of_paper(flags) else "paper"
    check_protocol(flags)
    if flags.noise is None:
        flags.noise = 0.0 if own else 0.4
    if flags.solver not in MODELS[flags.model]:
        expected = ", ".join(MODELS[flags.model])
        raise InputError(f"--solver {flags.solver}: is not for --model {flags.model}, expected one of {expected}")
    if flags.model == "linear" and flags.gpu is not None and flags.solver == "cholesky":
        raise InputError(f"--gpu {flags.gpu}: a GPU has no Cholesky solver; give --solver cg, or leave --solver out")
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
    columns = TableColumns(flags.label_column, flags.text_columns or (), flags.ignore_columns or (), flags.part_column)
    return Config(**{**fields, "validation": Validation(part, flags.n_validation), "columns": columns})


def of_paper(flags: argparse.Namespace) -> bool:
    """Whether a flag is given that only the paper's protocol has, or one for more rows than memory holds."""
    return bool(papers_own(flags) or flags.block_rows or flags.dask)


def papers_own(flags: argparse.Namespace) -> list[str]:
    """The flags that are given and that --protocol auto has not."""
    return [name for name in (*NOT_WITH_AUTO, *DEFAULTS_OF_PAPER) if getattr(flags, name) != DEFAULTS_OF_PAPER.get(name)]


def check_protocol(flags: argparse.Namespace) -> None:
    """Raise `InputError` for a flag of the other protocol."""
    if flags.protocol == "paper":
        for name in NOT_WITH_PAPER:
            value = getattr(flags, name)
            if value is not None:
                shown = " ".join(value) if name == "export" else value
                raise InputError(f"--{name} {shown}: is for --protocol auto; add that, or leave it out")
        return
    check_draw(flags, LEAST_TRUSTED)
    if flags.export and not flags.result_dir:
        raise InputError(f"--export {' '.join(flags.export)}: needs a --result_dir to write into; add it")
    if flags.model != "linear":
        raise InputError(f"--model {flags.model}: --protocol auto is for linear models; leave one of them out")
    for name in papers_own(flags):
        value = getattr(flags, name)
        shown = "auto" if value is None else value  # --alpha auto
        raise InputError(f"--{name} {shown}: is for --protocol paper; leave one of them out")


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

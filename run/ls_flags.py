"""The flags of RDIA-LS.py, and the configuration they stand for."""

import argparse

from data.errors import InputError
from data.noise import NOISE_TYPES
from data.public import PICTURE_SETS
from models.repair import LEAST_TRUSTED
from models.settings import AUGMENTS, METHODS, NETWORKS, OBJECTIVES, OPTIMIZERS, RECIPES, WARMUPS, Settings
from run.flags import (
    AUTO,
    Parser,
    add_data_dir,
    add_draw,
    add_output,
    add_size,
    check_draw,
    count,
    fraction,
    non_negative,
    place,
    positive,
    rate,
    rate_or_auto,
    seed,
)
from run.training_config import CHECKPOINT, TrainingConfig

# Released: flags that have no meaning here.
IGNORED = ("print_freq", "num_workers", "model_type", "fr_type")


def ls_parser(description: str | None = None) -> Parser:
    """The parser. description: the text that --help begins with."""
    flags = Parser("RDIA-LS.py", description)
    data = flags.add_argument_group("data")
    data.add_argument("--dataset", default="digits", help=f"{', '.join(PICTURE_SETS)}, or an .npz or a folder of pictures [digits]")
    data.add_argument("--noise_rate", type=rate_or_auto, help="share of wrong labels; auto: estimated [0.4; of a path auto]")
    data.add_argument(
        "--noise_type", choices=NOISE_TYPES, help="noise to inject; none: keep the labels [symmetric; of a path none]"
    )
    add_size(data)
    add_data_dir(data)
    method = flags.add_argument_group("method")
    _add_loss(method)
    _add_training(method)
    output = flags.add_argument_group("output")
    output.add_argument("--audit", type=place, metavar="PAGE.html", help="write a page where a person reviews the suspects")
    add_draw(output)
    output.add_argument("--labels", type=place, metavar="DECIDED.csv", help="train on the decisions exported from that page")
    output.add_argument("--result_dir", type=place, help="folder for suspects, result lines, checkpoint and curve")
    output.add_argument("--resume", action="store_true", help="continue from the checkpoint in --result_dir")
    add_output(output)
    where = flags.add_argument_group("where it runs")
    where.add_argument("--gpu", type=seed, help="number of the GPU [the first, else the CPU]")
    where.add_argument("--amp", action="store_true", help="compute in bfloat16: faster on GPUs, and on CPUs that have it")
    for name in IGNORED:
        flags.add_argument(f"--{name}", help=argparse.SUPPRESS)
    return flags


def _add_loss(method: argparse._ArgumentGroup) -> None:
    method.add_argument("--method", choices=METHODS, default="rdia-ls", help="rdia-ls, or a method to compare it with [rdia-ls]")
    method.add_argument("--gamma", type=fraction, help="weight of the clean term [0.2; recipe own 0.5]")
    method.add_argument(
        "--objective", choices=OBJECTIVES, default="released", help="the loss as released, or as the formulas suggest [released]"
    )
    method.add_argument(
        "--recipe",
        choices=list(RECIPES),
        help="fast: 40 epochs, balanced warm-up, averaged weights; own: 80 epochs, gamma 0.5 [of a path own, else released]",
    )
    method.add_argument(
        "--warmup", choices=WARMUPS, help="balanced: keep the same share of each given label [of a path balanced, else released]"
    )
    method.add_argument("--forget_rate", type=rate, help="share of a batch that is not kept as clean [the noise rate]")
    method.add_argument("--discard_rate", type=rate, help="share of a batch that is discarded [half the noise rate]")
    method.add_argument("--num_gradual", type=count, default=10, help="epochs over which the forget rate rises [10]")
    method.add_argument("--init_epoch", type=count, help="first epoch after the warm-up [10; cifar100: 20]")


def _add_training(method: argparse._ArgumentGroup) -> None:
    method.add_argument("--n_epoch", type=count, help="epochs; epoch 0 is the untrained network [200; recipe own 80, fast 40]")
    method.add_argument("--epoch_decay_start", type=seed, help="epoch from which the rate falls [80; own, fast: 0.4 of n_epoch]")
    method.add_argument("--average", type=fraction, help="step of a running average of the weights; 0: none [0; own, fast 0.0005]")
    method.add_argument(
        "--augment",
        choices=AUGMENTS,
        default="none",
        help="move training pictures at random: crop, by up to 4 pixels; flip, mirror half of them (not for digits); both [none]",
    )
    method.add_argument("--network", choices=NETWORKS, default="auto", help="auto: by the size of the pictures [auto]")
    method.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", help="of the network [adam]")
    method.add_argument("--lr", type=positive, help="learning rate [0.001; own, fast 0.002]")
    method.add_argument("--weight_decay", type=non_negative, default=0.0, help="of the optimizer [0]")
    method.add_argument("--batch_size", type=count, default=128, help="samples in a batch [128]")
    method.add_argument("--seed", type=seed, default=1, help="of noise, initialisation and batches, each with its own stream [1]")


def ls_config(flags: argparse.Namespace) -> TrainingConfig:
    """The configuration of the flags: the settings of the recipe, unless a flag sets them. Raises `InputError`."""
    check_draw(flags, LEAST_TRUSTED)
    own = flags.dataset not in PICTURE_SETS
    if flags.noise_type is None:
        flags.noise_type = "none" if own else "symmetric"
    if flags.noise_rate is None:
        flags.noise_rate = AUTO if own else 0.4
    if flags.noise_rate == AUTO:
        check_estimate(flags)
        flags.noise_rate = None
    recipe = RECIPES[flags.recipe or ("own" if own else "released")]
    given = {name: value for name, value in vars(flags).items() if name in Settings._fields and value is not None}
    defaults = {
        **({"warmup": "balanced"} if own else {}),
        "forget_rate": flags.noise_rate or 0.0,
        "discard_rate": (flags.noise_rate or 0.0) / 2,
        "init_epoch": 20 if flags.dataset == "cifar100" else 10,
        **recipe,
        **({"epoch_decay_start": 2 * flags.n_epoch // 5} if flags.n_epoch and recipe else {}),
    }
    named = {name: getattr(flags, name) for name in TrainingConfig._fields if name != "settings"}
    settings = Settings(**{**defaults, **given})
    if settings.method == "rdia-ls" and settings.discard_rate > settings.forget_rate:
        raise InputError(
            f"--discard_rate {settings.discard_rate:g}: is above the forget rate, {settings.forget_rate:g}: only samples that are"
            f" not kept as clean are discarded; give at most {settings.forget_rate:g}"
        )
    return TrainingConfig(**named, settings=settings)


def check_estimate(flags: argparse.Namespace) -> None:
    """Raise `InputError` for flags that do not go with a noise rate that is estimated."""
    if flags.noise_type != "none":
        remedy = "give --noise_type none, or the rate to inject"
        raise InputError(f"--noise_type {flags.noise_type}: goes with a rate, and --noise_rate is auto; {remedy}")
    for name in ("forget_rate", "discard_rate"):
        if getattr(flags, name) is not None:
            raise InputError(
                f"--{name} {getattr(flags, name):g}: goes with a rate, and --noise_rate is auto; give --noise_rate too"
            )


def flag_notes(flags: argparse.Namespace, settings: Settings, fast_bfloat16: bool = True) -> list[str]:
    """What a user should know about the flags. fast_bfloat16: whether the device gains by it."""
    notes, ignored = [], [f"--{name}" for name in IGNORED if getattr(flags, name) is not None]
    if ignored:
        notes.append(f"{', '.join(ignored)}: no meaning here, ignored")
    if flags.noise_type != "none" and flags.noise_rate and flags.dataset not in PICTURE_SETS:
        share = f"about {flags.noise_rate:.0%} of your training labels were flipped on purpose"
        notes.append(f"{share}; add --noise_type none to keep them as they are")
    if settings.n_epoch <= settings.init_epoch:
        notes.append(f"--n_epoch {settings.n_epoch}: the run ends within the warm-up of {settings.init_epoch} epochs")
    if flags.amp and not fast_bfloat16:
        notes.append("--amp: this CPU does not compute in bfloat16 itself, so that it gains nothing; leave it out")
    if flags.resume and not (flags.result_dir / CHECKPOINT).exists():
        notes.append(f"there is no checkpoint in {flags.result_dir}; the run begins at epoch 0")
    return notes

"""The targets that need no runs: the picture of the method, and the tables of flags."""

from Figure.framework import draw_framework
from Figure.target import Output, Target
from run.flags import flag_tables
from run.ls_flags import ls_parser
from run.rdia_flags import rdia_parser


def show_flags(output: Output) -> None:
    """A table of the flags of each command."""
    output.table("flags RDIA.py", flag_tables(rdia_parser()))
    output.table("flags RDIA-LS.py", flag_tables(ls_parser()))


TARGETS = {
    "framework": Target("the method's picture", 1, lambda _: [], lambda _, output, __: draw_framework(output.picture("framework"))),
    "flags": Target("the tables of flags", 1, lambda _: [], lambda _, output, __: show_flags(output)),
}

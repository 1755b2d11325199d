"""Benchmarks, and what they print put into docs/speed.md.

python -m tests.benchmarks.write                      # all of them, one after another
python -m tests.benchmarks.write influence softmax    # some
"""

import subprocess
import sys

from Figure.tables import paste_into, place_of
from run.flags import Parser
from run.records import ROOT
from run.script import run_script

# Only when they are named: the one needs a GPU, the other an environment with the libraries of requirement-peers.txt.
ON_GPU, WITH_PEERS = "gpu", "peers"
BENCHMARKS = ("influence", "softmax", "network", "training", "sweep", "ranks", "audit", "table")
ALL = (*BENCHMARKS, ON_GPU, WITH_PEERS)


def main() -> None:
    flags = Parser("tests.benchmarks.write", __doc__)
    flags.add_argument("benchmark", nargs="*", help=", ".join(ALL), choices=[[], *ALL])
    for name in flags.parse_args().benchmark or BENCHMARKS:
        command = [sys.executable, "-m", f"tests.benchmarks.{name}"]
        printed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        paste_into(place_of(f"speed {name}"), f"speed {name}", f"```\n{printed.rstrip()}\n```")
        print(f"{name}: done", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_script("tests.benchmarks.write", main)

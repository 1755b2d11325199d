"""Read inputs that are nearly good, and see that each is read, or refused in one line.

    python -m tests.fuzz                                  # 100,000 inputs, shared by all readers
    python -m tests.fuzz --target npz --inputs 1000 --seed 2

An input fails that raises anything but `InputError`, warns, takes 10 seconds or 512 MiB, or ends the process; it is kept in
--failures, and the command ends with status 1. What failed once and is fixed is in tests/fuzz/corpus, which the tests read.
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from types import FrameType

from data.errors import LONGEST_MESSAGE, InputError
from run.flags import Parser, count, seed
from run.script import run_script
from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS, Named, Target
from tests.invoke import ROOT

SECONDS, MEMORY = 10, 2**29  # of one input
STUCK = 60  # seconds without a sign of life, after which the process is killed
AT, LINE = "at", 80  # the file that says which input is being read, and its bytes


class TooLong(BaseException):
    """An input has taken more than `SECONDS`: no `Exception`, which a reader might take for a fault of its input."""


def read(target: Target, named: Named, folder: Path) -> str | None:
    """Use one input; what went wrong, None if nothing did."""
    path = folder / named[0]
    path.write_bytes(named[1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            target.use(path)
    except InputError as error:
        if len(str(error)) > LONGEST_MESSAGE:
            return f"a message of {len(str(error))} characters"
    except (Exception, TooLong):
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        path.unlink(missing_ok=True)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    return f"{grown / 2**20:.0f} MiB" if grown > MEMORY // 2 else None


def inputs(name: str, good: list[Named], number: int, start: int) -> Named:
    """Input `number` of a reader, of those that begin with the seed `start`."""
    rng = random.Random(f"{start}/{name}/{number}")
    chosen = rng.choice(good)
    others = [data for _, data in good]
    return chosen[0], mutated(*chosen, others, rng)


def work(name: str, numbers: range, start: int, failures: Path) -> None:
    """Read some inputs in this process, with its memory bounded; `AT` in the working folder says where it is."""
    target = TARGETS[name]
    good = target.good()
    for one in [good[0], *good]:  # the first loads libraries
        if (found := read(target, one, Path.cwd())) and not found.endswith("MiB"):
            raise AssertionError(f"{name}: a good input failed: {found}")
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, _too_long)
    with Path(AT).open("wb", buffering=0) as at:
        for number in numbers:
            one = inputs(name, good, number, start)
            os.pwrite(at.fileno(), f"{number} {one[0]}".ljust(LINE).encode(), 0)
            if found := read(target, one, Path.cwd()):
                fail(failures, name, number, one, found)


def _too_long(_: int, __: FrameType | None) -> None:
    raise TooLong


def fail(failures: Path, name: str, number: int, one: Named, found: str) -> None:
    """Say why an input failed, and keep it."""
    kept = f"{name}-{number}-{one[0]}"
    (failures / kept).write_bytes(one[1])
    with (failures / "failures.jsonl").open("a") as file:
        file.write(json.dumps({"file": kept, "found": found}) + "\n")


def fuzz(name: str, many: int, start: int, failures: Path) -> None:
    """Read so many inputs, in another process after one has ended the last."""
    first = 0
    while first < many:
        with tempfile.TemporaryDirectory() as folder:
            given = [name, str(first), str(many), str(start), str(failures.resolve())]
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz", "--work", *given], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}
            )
            at = watched(process, Path(folder) / AT)
            if process.returncode == 0:
                break
            if at is None:
                raise SystemExit(f"{name}: cannot begin")
            number, file = at.split()
            one = file, (Path(folder) / file).read_bytes()
            fail(failures, name, int(number), one, f"the process ended with {process.returncode}")
            first = int(number) + 1


def watched(process: "subprocess.Popen[bytes]", at: Path) -> str | None:
    """Wait for a process, and kill it once it makes no progress; what it wrote about where it was."""
    last, since = "", time.monotonic()
    while process.poll() is None:
        time.sleep(0.1)
        now = at.read_text() if at.exists() else ""
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > STUCK:
            process.kill()
            process.wait()
    return at.read_text() if at.exists() else None


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        name, first, last, start, failures = sys.argv[2:]
        work(name, range(int(first), int(last)), int(start), Path(failures))
        return
    flags = Parser("fuzz", __doc__)
    flags.add_argument("--target", choices=TARGETS, nargs="*", default=list(TARGETS), help="readers (all)")
    flags.add_argument("--inputs", type=count, default=100_000, help="how many, shared by the readers (100,000)")
    flags.add_argument("--seed", type=seed, default=1)
    flags.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="a folder for inputs that fail")
    given = flags.parse_args()
    given.failures.mkdir(parents=True, exist_ok=True)
    record = given.failures / "failures.jsonl"
    record.unlink(missing_ok=True)
    many = -(-given.inputs // len(given.target))
    for name in given.target:
        begun = time.monotonic()
        fuzz(name, many, given.seed, given.failures)
        failed = sum(line.startswith(f'{{"file": "{name}-') for line in record.read_text().splitlines()) if record.exists() else 0
        print(f"{name}: {many:,} inputs, {failed} failed, {time.monotonic() - begun:.0f} s", flush=True)
    if record.exists():
        sys.exit(1)


if __name__ == "__main__":
    run_script("fuzz", main)

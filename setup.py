"""Lays the packages of this repository under `rdia`, so that an installation hides no `data` or `models` of a user's own.

All else that pip wants to know is in pyproject.toml.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PACKAGES = ("data", "influence", "models", "run", "page", "Figure")
SCRIPTS = [("rdia", "RDIA", "RDIA.py"), ("rdia", "RDIA_LS", "RDIA-LS.py")]  # package, module, file
COMMANDS = {  # as help and messages name them
    r"torchrun (.*)RDIA-LS\.py": r"torchrun \1-m rdia.RDIA_LS",
    r"(python )?RDIA-LS\.py": "rdia-ls",
    r"(python )?RDIA\.py": "rdia",
    r"python -m (page|Figure)\b": r"python -m rdia.\1",
}


def under_rdia(source: str) -> str:
    """The text of a module with its imports, and the commands that it names, as they are in an installation."""
    names = "|".join(PACKAGES)
    source = re.sub(rf"^( *from )({names})\b", r"\1rdia.\2", source, flags=re.MULTILINE)
    source = re.sub(rf'"((?:{names})\.[\w.]+)"', module_under_rdia, source)  # what importlib is given
    for here, installed in COMMANDS.items():
        source = re.sub(here, installed, source)
    return source


def module_under_rdia(quoted: re.Match[str]) -> str:
    """The quoted name of a module of ours; of anything else, such as "page.html", as it is."""
    return f'"rdia.{quoted[1]}"' if Path(quoted[1].replace(".", "/") + ".py").exists() else quoted[0]


class UnderRdia(build_py):
    """The step of setuptools that lays modules into a wheel."""

    def run(self) -> None:
        if self.editable_mode:
            raise SystemExit("rdia: cannot be installed by -e, as modules are changed on their way; in a clone run RDIA.py instead")
        shutil.rmtree(Path(self.build_lib, "rdia"), ignore_errors=True)  # or modules deleted since the last build stay in
        super().run()

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        return super().find_package_modules(package, package_dir) + (SCRIPTS if package == "rdia" else [])

    def build_module(self, module: str, module_file: str, package: str) -> tuple[str, bool]:
        written, copied = super().build_module(module, module_file, package)
        path = Path(written)
        path.write_text(under_rdia(path.read_text(encoding="utf-8")), encoding="utf-8")
        return written, copied


setup(
    cmdclass={"build_py": UnderRdia},
    packages=["rdia", *(f"rdia.{name}" for name in find_packages() if name.partition(".")[0] in PACKAGES)],
    package_dir={f"rdia.{name}": name for name in PACKAGES},
    package_data={"rdia.page": ["page.*"]},
)

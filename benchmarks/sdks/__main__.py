"""The Python SDKs of SageMaker, unmodified, whose tuning jobs run here.

    python -m benchmarks.sdks [2] [3] [--environments FOLDER]

Each SDK is installed into an environment of its own (minutes, once for a FOLDER), where `two.py` or
`three.py` does what its users do: fit, wait, stop, analytics; with SDK 2 best estimator, attach,
warm start too. This checkout and its packages come behind the SDK's own. Every line that is printed
was checked; the exit code is 1 where a check failed. Nothing is sent anywhere: the scripts refuse
every address but this machine's.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
SDKS = {"2": ("sagemaker==2.257.7", "two.py"), "3": ("sagemaker==3.27.0", "three.py")}


def main(arguments: Sequence[str]) -> int:
    """Make the environments, and run the programs in them."""
    options = argparse.ArgumentParser("benchmarks.sdks", description=__doc__)
    options.add_argument(
        "sdks", nargs="*", metavar="SDK", help="2 or 3; both unless told otherwise"
    )
    options.add_argument("--environments", type=Path, help="a folder that keeps them")
    chosen = options.parse_args(arguments)
    if strange := set(chosen.sdks) - SDKS.keys():
        options.error(f"expected 2 or 3, got {', '.join(sorted(strange))}")
    with tempfile.TemporaryDirectory() as made:
        folder = (chosen.environments or Path(made)).resolve()
        return max(_run(folder, *SDKS[sdk]) for sdk in chosen.sdks or SDKS)


def _run(folder: Path, package: str, program: str) -> int:
    python = environment(folder / package.replace("==", "-"), package)
    print(f"== {package}", flush=True)
    settings = {**os.environ, "SAGEMAKER_SUPPRESS_V2_WARNING": "1"}
    return subprocess.run([python, HERE / program], env=settings).returncode


def environment(home: Path, package: str) -> Path:
    """Return the interpreter of an environment that has a package; made where it is missing."""
    python = home / "bin" / "python"
    done = home / "installed"
    if not done.exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", package], check=True)
        done.touch()
    asked = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    own = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    # Lines of a .pth come behind the packages of the environment itself.
    lines = [str(CHECKOUT), *_packages()]
    Path(own.stdout.strip(), "behind.pth").write_text("\n".join(lines) + "\n")
    return python


def _packages() -> list[str]:
    """Return where the packages lie that this interpreter uses, the standard library apart."""
    own = {Path(path) for name, path in sysconfig.get_paths().items() if "lib" in name}
    return [path for path in sys.path if path.endswith("site-packages") or Path(path) in own]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

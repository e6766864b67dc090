"""Makes the pages of docs/ that come from the code, so that nothing in them is stale.

    python docs/make.py            # writes those that differ
    python docs/make.py --check    # names them, and ends with exit code 1
    python docs/make.py --measure  # times every task anew (some minutes), for the gallery; then writes

A module of making/ has `pages()`: the path of each of its pages below docs/, and its content, text or bytes. Those
whose names begin with _ are for the others.
"""

import argparse
import functools
import importlib
import pkgutil
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import making  # noqa: E402


@functools.cache
def made() -> dict[Path, bytes]:
    """Every page that is made, and what it should hold."""
    contents = {}
    for module in pkgutil.iter_modules(making.__path__):
        if module.name.startswith("_"):
            continue
        pages = importlib.import_module(f"making.{module.name}").pages()
        contents |= {DOCS / path: text.encode() if isinstance(text, str) else text for path, text in pages.items()}
    return contents


def stale() -> list[Path]:
    """The pages that are not as the code says."""
    return [file for file, content in made().items() if not file.is_file() or file.read_bytes() != content]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="Write nothing.")
    parser.add_argument("--measure", action="store_true", help="Time every task first.")
    args = parser.parse_args()
    if args.measure:
        importlib.import_module("making._speed").measure()
    contents = made()
    differing = stale()
    for file in differing:
        print(file.relative_to(DOCS.parent))
        if not args.check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(contents[file])
    sys.exit(1 if args.check and differing else 0)


if __name__ == "__main__":
    main()

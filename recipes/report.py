# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural"]
# ///
"""Compares runs: tables, curves, data efficiency, and what controls reproduce of a gain.

    python recipes/report.py runs/c4_scratch runs/c4_set
    python recipes/report.py runs/study --output_dir runs/report --baseline scratch --metric exact_match

Each folder is a run of a recipe, finished or not, or holds runs at any depth; runs that differ only in their seed are
seeds of one arm. Writes report.md, report.csv and report.png, and prints the tables.
"""

import argparse

from hf_procedural.errors import Parser, user_errors
from hf_procedural.runs import report
from hf_procedural.runs.read import read_runs
from hf_procedural.terminal import tell


def main():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="A run folder, or one that holds some.")
    parser.add_argument("--output_dir", default="report", help="Folder of the report (default: report).")
    parser.add_argument("--baseline", help="Label of the arm to compare with (default: the one from scratch).")
    parser.add_argument("--metric", help="What to compare (default: answer_accuracy, else loss).")
    parser.add_argument(
        "--threshold", type=float, default=0.9, help="Answer accuracy whose first step is shown (default: 0.9)."
    )
    args = parser.parse_args()
    with user_errors():
        report.check_output(args.output_dir)
        tell(report.write(read_runs(args.folders), args.output_dir, args.baseline, args.metric, args.threshold))


if __name__ == "__main__":
    main()

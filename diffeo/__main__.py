"""The command `python -m diffeo`: run the tour.

Its exit code is 1 if a result of the tour is not what it must be.
"""

from __future__ import annotations

import argparse
import sys

from .tour import tour


def positive(text: str) -> int:
    """Return a text as a positive whole number, for the argument parser; else a ValueError."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, run the tour, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m diffeo",
        description="Programs, derivatives and a classifier of handwritten digits: a tour.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights, the order")
    parser.add_argument("--epochs", type=positive, default=40, help="passes over the training set")
    parser.add_argument("--hidden", type=positive, default=256, help="width of the hidden layer")
    options = parser.parse_args(arguments)
    return tour(options.seed, options.epochs, options.hidden)


if __name__ == "__main__":
    sys.exit(main())

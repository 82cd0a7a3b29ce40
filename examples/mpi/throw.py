"""Throw darts at a square in each process, and count how many hit the circle inside it."""

import argparse
import json
import os
import pathlib
import random

from mpi4py import MPI

OUTPUT = pathlib.Path(os.environ.get("OUTPUT_DIR", "."))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--darts", type=int, default=200_000, help="number of darts of each process")
    darts = arguments.parse_args().darts
    rank, size = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
    throw = random.Random(rank).random
    hits = sum(throw() ** 2 + throw() ** 2 <= 1 for _ in range(darts))
    (OUTPUT / f"hits-{rank}.json").write_text(json.dumps({"hits": hits, "darts": darts}))
    print(f"process {rank} of {size}: {hits} of {darts} hit")


if __name__ == "__main__":
    main()

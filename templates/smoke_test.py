"""Load for `riseml system test`: ROUNDS rounds of SECONDS of work on CPUS cores with MEM megabytes."""

import os
import socket
import time
from multiprocessing import Process

ROUNDS, SECONDS = int(os.environ["ROUNDS"]), float(os.environ["SECONDS"])
CPUS, MEGABYTES = int(os.environ["CPUS"]), int(os.environ["MEM"])


def work(end):
    block = bytearray(MEGABYTES * 1_000_000 // CPUS)
    while time.monotonic() < end:
        # One write per page keeps the memory in use.
        for offset in range(0, len(block), 4096):
            block[offset] = (block[offset] + 1) % 256


if __name__ == "__main__":
    for number in range(1, ROUNDS + 1):
        end = time.monotonic() + SECONDS
        workers = [Process(target=work, args=(end,)) for _ in range(CPUS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if any(worker.exitcode for worker in workers):
            raise SystemExit(f"round {number} failed: is there enough memory?")
        print(f"round {number} of {ROUNDS} on {socket.gethostname()}", flush=True)

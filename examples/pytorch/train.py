"""Fit a small network with all processes at once: each has a different part of the data, DDP averages the gradients."""

import argparse
import os
import pathlib

import riseml
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

EPOCHS, POINTS = 20, 512  # points of each process
OUTPUT = pathlib.Path(os.environ.get("OUTPUT_DIR", "."))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lr", type=float, default=0.02, help="learning rate")
    options = arguments.parse_args()
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "RANK": "0", "WORLD_SIZE": "1"}.items():
        os.environ.setdefault(name, value)  # a single process, without RiseML or torchrun
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        train(options.lr)
    finally:
        dist.destroy_process_group()


def train(lr):
    rank, size = dist.get_rank(), dist.get_world_size()
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    print(f"process {rank} of {size} runs on {device}")

    torch.manual_seed(rank)
    points = torch.rand(POINTS, 2, device=device) * 2 - 1
    targets = torch.sin(3 * points).sum(dim=1, keepdim=True)
    network = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)).to(device)
    model = DistributedDataParallel(network)  # copies the weights of process 0 to all
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for epoch in range(1, EPOCHS + 1):
        for batch in range(0, POINTS, 64):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(points[batch : batch + 64]), targets[batch : batch + 64])
            loss.backward()
            optimizer.step()
        mean = loss.detach()
        dist.all_reduce(mean)
        if rank == 0:
            print(f"epoch {epoch:2}: loss {mean.item() / size:.4f}")
            riseml.report_result(loss=mean.item() / size, processes=size)
            riseml.report_progress(epoch, EPOCHS)
    if rank == 0:
        torch.save(network.state_dict(), OUTPUT / "model.pt")


if __name__ == "__main__":
    main()

# ruff: noqa: T201
# mypy: ignore-errors
"""PyTorch: an all-reduce with gloo, and the variables that torchrun sets."""

import os

import torch
import torch.distributed as dist

import riseml

dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()
variables = {
    name: int(os.environ[name])
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK")
}
assert (variables["RANK"], variables["WORLD_SIZE"]) == (rank, size)
assert (
    variables["RANK"]
    == variables["GROUP_RANK"] * variables["LOCAL_WORLD_SIZE"] + variables["LOCAL_RANK"]
)

total = torch.tensor([rank + 1.0])
dist.all_reduce(total)
everybody: list[dict[str, int] | None] = [None] * size
dist.all_gather_object(everybody, variables)
print(f"process {rank} of {size}: sum {total.item()}, {variables}")
assert total.item() == size * (size + 1) / 2
assert [each["RANK"] for each in everybody if each] == list(range(size))
if rank == 0:
    riseml.report_result(sum=total.item(), processes=size, ranks=everybody)
dist.destroy_process_group()

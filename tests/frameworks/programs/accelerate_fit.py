# mypy: ignore-errors
"""Accelerate: one epoch; the line of the accelerator is replaced by that of the page."""

import accelerate
import torch

import riseml

accelerator = accelerate.Accelerator  # the page
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
batches = torch.utils.data.DataLoader(torch.randn(16, 2), batch_size=2)
model, optimizer, batches = accelerator.prepare(model, optimizer, batches)
steps = 0
for batch in batches:
    optimizer.zero_grad()
    accelerator.backward(model(batch).pow(2).mean())
    optimizer.step()
    steps += 1
if accelerator.is_main_process:
    riseml.report_result(processes=accelerator.num_processes, steps=steps)
# PyTorch may abort at the exit of a process that leaves its group open.
torch.distributed.destroy_process_group()

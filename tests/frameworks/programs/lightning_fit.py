# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
"""Lightning: one epoch; the next line is replaced by that of the page."""

import lightning
import torch

import riseml


class Model(lightning.LightningModule):
    """A linear model."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def _register_sharded_tensor_state_dict_hooks_if_available(self) -> None:
        """Do nothing: the modules of PyTorch 1.13 for this fail with Python 3.11."""

    def training_step(self, batch, _number):
        """Return the loss of a batch."""
        return self.layer(batch).pow(2).mean()

    def configure_optimizers(self):
        """Return the optimizer."""
        return torch.optim.SGD(self.parameters(), 0.1)


trainer = None  # the page
trainer.fit(Model(), torch.utils.data.DataLoader(torch.randn(16, 2), batch_size=2))
if trainer.is_global_zero:
    riseml.report_result(processes=trainer.world_size, steps=trainer.global_step)
# PyTorch may abort at the exit of a process that leaves its group open.
torch.distributed.destroy_process_group()

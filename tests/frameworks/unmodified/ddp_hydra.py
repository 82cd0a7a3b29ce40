"""Train a linear model with DistributedDataParallel, configured by Hydra."""

import json
import logging
import os

import hydra
import torch
import torch.distributed as dist
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.nn.parallel import DistributedDataParallel

log = logging.getLogger(__name__)


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg: DictConfig):
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(cfg.seed)
    if rank == 0:
        log.info("Configuration:\n%s", OmegaConf.to_yaml(cfg))
    model = DistributedDataParallel(nn.Linear(10, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg.lr)
    weights = torch.arange(10.0)
    losses = []
    for epoch in range(cfg.epochs):
        generator = torch.Generator().manual_seed(epoch * size + rank)
        inputs = torch.randn(64, 10, generator=generator)
        loss = nn.functional.mse_loss(model(inputs).squeeze(1), inputs @ weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total = loss.detach().clone()
        dist.all_reduce(total)
        losses.append(total.item() / size)
        if rank == 0:
            log.info("epoch: %d, train_loss: %.5f, lr: %g", epoch, losses[-1], cfg.lr)
    output = hydra.core.hydra_config.HydraConfig.get().runtime.output_dir
    if rank == 0:
        torch.save(model.module.state_dict(), os.path.join(output, "last.ckpt"))
        with open(os.path.join(output, "losses.json"), "w") as f:
            json.dump([round(value, 5) for value in losses], f)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()

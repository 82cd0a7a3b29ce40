"""Train a small character-level GPT, in the manner of minGPT and nanoGPT."""

import json
import math
import os
import sys
import time
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    out_dir: str = "out"
    eval_interval: int = 10
    log_interval: int = 5
    max_iters: int = 40
    batch_size: int = 8
    block_size: int = 16
    n_embd: int = 32
    n_head: int = 2
    learning_rate: float = 1e-2


config = Config()
for argument in sys.argv[1:]:
    key, value = argument.removeprefix("--").split("=")
    setattr(config, key, type(getattr(config, key))(value))
torch.manual_seed(1337)
text = "First Citizen: Before we proceed any further, hear me speak. All: Speak, speak.\n" * 40
chars = sorted(set(text))
data = torch.tensor([chars.index(char) for char in text])
splits = {"train": data[:-400], "val": data[-400:]}


def get_batch(split):
    source = splits[split]
    starts = torch.randint(len(source) - config.block_size, (config.batch_size,))
    x = torch.stack([source[i : i + config.block_size] for i in starts])
    y = torch.stack([source[i + 1 : i + 1 + config.block_size] for i in starts])
    return x, y


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(len(chars), config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.attn = nn.MultiheadAttention(config.n_embd, config.n_head, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(config.n_embd, 64), nn.GELU(), nn.Linear(64, config.n_embd)
        )
        self.head = nn.Linear(config.n_embd, len(chars))

    def forward(self, idx, targets):
        length = idx.shape[1]
        x = self.wte(idx) + self.wpe(torch.arange(length))
        mask = torch.triu(torch.full((length, length), -math.inf), diagonal=1)
        x = x + self.attn(x, x, x, attn_mask=mask, need_weights=False)[0]
        logits = self.head(x + self.mlp(x))
        return F.cross_entropy(logits.view(-1, len(chars)), targets.view(-1))


model = GPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
print(f"number of parameters: {sum(p.numel() for p in model.parameters()) / 1e6:.2f}M")
os.makedirs(config.out_dir, exist_ok=True)


@torch.no_grad()
def estimate_loss():
    return {
        split: sum(model(*get_batch(split)).item() for _ in range(5)) / 5 for split in splits
    }


best_val_loss, history, started = 1e9, [], time.time()
for iter_num in range(config.max_iters + 1):
    if iter_num % config.eval_interval == 0:
        losses = estimate_loss()
        print(f"step {iter_num}: train loss {losses['train']:.4f}, val loss {losses['val']:.4f}")
        history.append({"step": iter_num, "val": round(losses["val"], 4)})
        with open(os.path.join(config.out_dir, "losses.json"), "w") as file:
            json.dump(history, file)
        if losses["val"] < best_val_loss:
            best_val_loss = losses["val"]
            checkpoint = {"model": model.state_dict(), "config": asdict(config)}
            print(f"saving checkpoint to {config.out_dir}")
            torch.save(checkpoint, os.path.join(config.out_dir, "ckpt.pt"))
    loss = model(*get_batch("train"))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if iter_num % config.log_interval == 0:
        now = time.time()
        print(f"iter {iter_num}: loss {loss.item():.4f}, time {(now - started) * 1000:.2f}ms")
        started = now

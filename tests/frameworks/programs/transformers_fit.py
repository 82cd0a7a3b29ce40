# mypy: ignore-errors
"""Transformers: one epoch of a tiny model; the line of the trainer is replaced by that of the page."""

import os

import torch
import transformers

import riseml

model = transformers.BertForSequenceClassification(
    transformers.BertConfig(
        vocab_size=8,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
    )
)
data = [{"input_ids": torch.tensor([1, 2]), "labels": torch.tensor(1)}] * 16
arguments = transformers.TrainingArguments(
    os.environ["OUTPUT_DIR"],
    num_train_epochs=1,
    per_device_train_batch_size=2,
    use_cpu=True,
    save_strategy="no",
    report_to=[],
)
trainer = None  # the page
trainer.train()
if trainer.is_world_process_zero():
    riseml.report_result(
        processes=trainer.args.world_size, steps=trainer.state.global_step
    )
# PyTorch may abort at the exit of a process that leaves its group open.
torch.distributed.destroy_process_group()

"""Train an LSTM that predicts the next word."""

import argparse
import csv
import math
import time

import torch
from torch import nn

parser = argparse.ArgumentParser(description="PyTorch word language model")
parser.add_argument("--emsize", type=int, default=32)
parser.add_argument("--lr", type=float, default=5.0)
parser.add_argument("--clip", type=float, default=0.25)
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--batch-size", type=int, default=8)
parser.add_argument("--bptt", type=int, default=12)
parser.add_argument("--log-interval", type=int, default=10)
parser.add_argument("--seed", type=int, default=1111)
parser.add_argument("--save", default="model.pt")
args = parser.parse_args()

torch.manual_seed(args.seed)
text = "the cat sat on the mat and the dog sat on the cat while a bird sang in the tree "
words = (text * 60).split()
vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
corpus = torch.tensor([vocabulary[word] for word in words])


def batchify(data):
    length = len(data) // args.batch_size
    return data[: length * args.batch_size].view(args.batch_size, -1).t().contiguous()


train_data, val_data = batchify(corpus[:-240]), batchify(corpus[-240:])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Embedding(len(vocabulary), args.emsize)
        self.rnn = nn.LSTM(args.emsize, args.emsize)
        self.decoder = nn.Linear(args.emsize, len(vocabulary))

    def forward(self, inputs):
        output, _ = self.rnn(self.encoder(inputs))
        return self.decoder(output).view(-1, len(vocabulary))


model, criterion = Model(), nn.CrossEntropyLoss()


def batches(data):
    for start in range(0, len(data) - 1, args.bptt):
        length = min(args.bptt, len(data) - 1 - start)
        inputs = data[start : start + length]
        yield inputs, data[start + 1 : start + 1 + length].reshape(-1)


def evaluate(data):
    with torch.no_grad():
        losses = [criterion(model(inputs), targets) for inputs, targets in batches(data)]
    return sum(losses).item() / len(losses)


def train(epoch):
    total, start = 0.0, time.time()
    for number, (inputs, targets) in enumerate(batches(train_data), 1):
        model.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), args.clip)
        for parameter in model.parameters():
            parameter.data.add_(parameter.grad, alpha=-args.lr)
        total += loss.item()
        if number % args.log_interval == 0:
            current = total / args.log_interval
            elapsed = (time.time() - start) * 1000 / args.log_interval
            count = len(train_data) // args.bptt
            print(
                f"| epoch {epoch:3d} | {number:5d}/{count:5d} batches | lr {args.lr:02.2f} "
                f"| ms/batch {elapsed:5.2f} | loss {current:5.2f} | ppl {math.exp(current):8.2f}"
            )
            total, start = 0.0, time.time()


best = None
with open("epochs.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["epoch", "valid loss", "valid ppl"])
    for epoch in range(1, args.epochs + 1):
        began = time.time()
        train(epoch)
        loss = evaluate(val_data)
        print("-" * 89)
        print(
            f"| end of epoch {epoch:3d} | time: {time.time() - began:5.2f}s "
            f"| valid loss {loss:5.2f} | valid ppl {math.exp(loss):8.2f}"
        )
        print("-" * 89)
        writer.writerow([epoch, f"{loss:.2f}", f"{math.exp(loss):.2f}"])
        file.flush()
        if best is None or loss < best:
            with open(args.save, "wb") as checkpoint:
                torch.save(model, checkpoint)
            best = loss

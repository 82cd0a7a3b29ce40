"""Train a character-level model with one attention layer in JAX."""

import argparse
import pickle

import jax
import jax.numpy as jnp
import numpy as np

p = argparse.ArgumentParser()
p.add_argument("--steps", type=int, default=60)
p.add_argument("--dim", type=int, default=32)
p.add_argument("--context", type=int, default=16)
p.add_argument("--lr", type=float, default=0.5)
args = p.parse_args()

corpus = "to be, or not to be, that is the question: " * 50
symbols = sorted(set(corpus))
data = np.array([symbols.index(c) for c in corpus])
rng = np.random.default_rng(0)


def init(key):
    keys = jax.random.split(key, 6)
    d, v = args.dim, len(symbols)
    shapes = {"emb": (v, d), "pos": (args.context, d), "q": (d, d), "k": (d, d), "v": (d, d), "out": (d, v)}
    return {
        name: jax.random.normal(k, shape) / d**0.5
        for k, (name, shape) in zip(keys, shapes.items(), strict=True)
    }


def loss_fn(params, x, y):
    h = params["emb"][x] + params["pos"]
    q, k, v = (h @ params[name] for name in "qkv")
    scores = q @ jnp.swapaxes(k, 1, 2) / args.dim**0.5
    scores = jnp.where(jnp.tril(jnp.ones(scores.shape[1:])), scores, -1e9)
    h = h + jax.nn.softmax(scores) @ v
    logp = jax.nn.log_softmax(h @ params["out"])
    return -jnp.take_along_axis(logp, y[..., None], axis=-1).mean()


@jax.jit
def update(params, x, y):
    loss, grads = jax.value_and_grad(loss_fn)(params, x, y)
    return jax.tree.map(lambda w, g: w - args.lr * g, params, grads), loss


def sample(size=16):
    starts = rng.integers(0, len(data) - args.context - 1, size)
    rows = np.stack([data[s : s + args.context + 1] for s in starts])
    return rows[:, :-1], rows[:, 1:]


params = init(jax.random.PRNGKey(0))
with open("loss.txt", "w") as log:
    for step in range(1, args.steps + 1):
        params, loss = update(params, *sample())
        if step % 10 == 0:
            bpc = float(loss) / float(np.log(2))
            print(f"step={step} loss={float(loss):.6f} bpc={bpc:.6f}")
            log.write(f"{step} {float(loss):.6f} {bpc:.6f}\n")
            log.flush()
with open("params.pkl", "wb") as f:
    pickle.dump(jax.tree.map(np.asarray, params), f)

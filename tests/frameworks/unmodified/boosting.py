"""Fit gradient-boosted trees."""

import argparse
import csv
import json

import lightgbm as lgb
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--num-leaves", type=int, default=7)
parser.add_argument("--rounds", type=int, default=30)
args = parser.parse_args()

rng = np.random.default_rng(7)
x = rng.normal(size=(600, 5))
y = (x[:, 0] * x[:, 1] + 0.5 * x[:, 2] + rng.normal(scale=0.3, size=600) > 0).astype(int)
train, valid = lgb.Dataset(x[:400], y[:400]), lgb.Dataset(x[400:], y[400:])
params = {
    "objective": "binary",
    "metric": ["auc", "binary_logloss"],
    "num_leaves": args.num_leaves,
    "verbosity": -1,
    "num_threads": 1,
}
evals, table = {}, open("evals.csv", "w", newline="")
rows = csv.writer(table)
rows.writerow(["iteration", "auc", "binary_logloss"])


def write_row(env):
    rows.writerow([env.iteration, *(result[2] for result in env.evaluation_result_list)])
    table.flush()


write_row.order = 30  # after the line in the log
print("Starting training...")
gbm = lgb.train(
    params,
    train,
    num_boost_round=args.rounds,
    valid_sets=[valid],
    callbacks=[lgb.log_evaluation(1), lgb.record_evaluation(evals), write_row],
)
print("Saving model...")
gbm.save_model("model.txt")
with open("evals_result.json", "w") as f:
    json.dump(evals, f)

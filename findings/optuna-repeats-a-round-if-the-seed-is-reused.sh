#!/usr/bin/env bash
# Optuna 5.0.0: a sampler that is made anew with the same seed for each batch suggests the first batch again.
#
# A search that keeps its trials in a file and starts a process for each batch makes a study, adds the finished trials, and
# asks for the next batch. TPE's startup trials (10 by default) are random. They depend on the seed alone, not on the trials
# that were added. So with a fixed seed, which users set for reproducible results, the second batch of 8 is exactly the first
# one: the same 8 points are evaluated twice, and nothing warns of it. A seed that depends on the number of finished
# trials is reproducible as well, and repeats nothing.
#
# Seen: with one seed, 8 of 16 trials are duplicates. With a seed for each batch, none is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optuna==5.0.0

cat > search.py << 'PYTHON'
import sys

import optuna
from optuna.distributions import FloatDistribution

optuna.logging.set_verbosity(optuna.logging.ERROR)
space = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}
finished = []
for batch in range(2):
    seed = 7 if sys.argv[1] == "one" else 7 + len(finished)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    for params in finished:
        value = (params["x"] - 0.3) ** 2 + params["y"]
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=value))
    asked = [study.ask(space) for _ in range(8)]
    finished += [trial.params for trial in asked]
print(len(finished) - len({tuple(params.items()) for params in finished}))
PYTHON

one=$(venv/bin/python search.py one)
own=$(venv/bin/python search.py own)
echo "duplicates among 16 trials: $one with one seed, $own with a seed for each batch"
[ "$one" = 8 ] && [ "$own" = 0 ] || { echo "changed"; exit 1; }
echo "as described"

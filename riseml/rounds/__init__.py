"""Step of a search in rounds: reads the results of the rounds before, and chooses the parameters of the next.

    outputs of all earlier experiments ──measure.py──▶ trials.jsonl ──suggest──▶ trials.jsonl, parameters of the round

    trials.py    the file of trials in the run's output folder: what was suggested, and what came of it
    measure.py   the result of an experiment: the value that `riseml results` shows
    optuna_space.py   distributions as Optuna has them
    step.py      the program

It runs in a job of its own, whose image has what the strategy requires, but not this package. So
the compiled document contains the modules that it needs (`compiler/rounds.py`). They import
only the standard library and each other. `suggest` is the function of the strategy.

What was suggested is recorded before it is returned. So a step that runs again, after a
failure or on another machine, returns the same parameters.
"""

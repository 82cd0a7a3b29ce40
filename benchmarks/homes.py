"""Homes with many ended runs, written directly into the database."""

import json
from pathlib import Path

from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.serialize import experiment_to_json
from riseml.engines.local.store import Store
from riseml.status import ExperimentStatus, State

BEGUN = 1_700_000_000.0


def home(folder: Path, count: int, *, ended: bool) -> Path:
    """Make a home with `count` runs of one experiment each."""
    folder.mkdir(mode=0o700, parents=True)
    store = Store.create(folder, COLUMNS)
    document = json.dumps(
        {"metadata": {"uid": "0"}, "spec": {"templates": ["x" * 200] * 15}}
    )
    state = State.FINISHED if ended else State.CREATED
    with store.transaction():
        for number in range(1, count + 1):
            begun = BEGUN + number
            store.next_number()
            store.add_run(
                number=number,
                name=f"bench-{number}",
                user="me",
                project="bench",
                is_set=False,
                concurrency=1,
                state=state,
                counts=json.dumps({state: 1}),
                created=begun,
                started=begun,
                finished=begun + 1,
                ended=True,
                document=document,
                environment="{}",
            )
            one = ExperimentStatus(
                str(number), None, State.FINISHED, result={"accuracy": 1 / number}
            )
            store.put_experiments(number, [(1, experiment_to_json(one))])
    store.close()
    return folder

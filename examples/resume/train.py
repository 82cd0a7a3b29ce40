"""Training loop that saves its state after each epoch, and continues from that of an earlier experiment."""

import argparse
import json
import os
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, required=True)
lr = parser.parse_args().lr

saved = Path(os.environ["OUTPUT_DIR"], "state.json")
earlier = Path(os.environ.get("RESUME_DIR") or saved.parent, "state.json")
state = {"epoch": 0, "weight": 0.0}
if earlier.exists():
    state = json.loads(earlier.read_text())
for epoch in range(state["epoch"] + 1, int(os.environ["EPOCHS"]) + 1):
    state = {"epoch": epoch, "weight": state["weight"] + lr * (3 - state["weight"])}
    saved.with_suffix(".new").write_text(json.dumps(state))
    saved.with_suffix(".new").replace(saved)
    print(f"epoch {epoch}: loss {(3 - state['weight']) ** 2:.6f}")
    time.sleep(float(os.environ["PAUSE"]))

"""Values beyond scalars and names with dots, as real jobs receive them."""

import json

from tests.local.conftest import Lab

ODD = 'it\'s $5 $$ $(HOME) \\ "x"'
NESTED = {"a": {"b": [1, None, True, "}} ü"]}}
RUN = """
run:
  - printf %s "$MODEL_LR" > $OUTPUT_DIR/lr
  - printf %s "$LAYERS" > $OUTPUT_DIR/layers
  - echo {{flag}} {{resume}} {{model.depth}}
"""


def test_jobs_receive_json_text(lab: Lab) -> None:
    experiments = [
        {"model.lr": ODD, "layers": NESTED, "flag": True, "resume": None},
        {"model.lr": 0.1, "layers": [64, 64], "flag": "no", "resume": []},
    ]
    for experiment in experiments:
        experiment["model.depth"] = 2
    run = lab.run(f"experiments: {json.dumps(experiments)}\n{RUN}")
    assert [experiment.parameters["layers"] for experiment in run.experiments] == [
        '{"a":{"b":[1,null,true,"}} ü"]}}',
        "[64,64]",
    ]
    assert run.experiments[0].parameters["model.lr"] == ODD
    assert (lab.output(1, 1) / "lr").read_text() == ODD
    assert json.loads((lab.output(1, 1) / "layers").read_text()) == NESTED
    assert (lab.output(1, 2) / "lr").read_text() == "0.1"
    assert lab.log(1) == "true null 2\nno [] 2\n"
    # The commands are shown as they were written.
    assert run.run[2] == "echo {{flag}} {{resume}} {{model.depth}}"
    record = (lab.output(1, 2) / "riseml-configuration.yml").read_text()
    assert "  model.lr: " in record

"""Documents of runs with `hold_on_failure`: variables, output, deadline, and the script."""

from riseml import status, templating
from riseml.plan import Job, Resources
from riseml.status.outline import sketch
from tests.unit.plans import compiled, env, single, template


def outputs(document: dict[str, object], name: str = "train") -> list[str]:
    parameters = template(document, name)["outputs"]["parameters"]
    return [parameter["name"] for parameter in parameters]


def test_a_job_that_holds_has_the_script_and_says_when_it_failed() -> None:
    document = compiled(single(hold=1800))
    assert env(template(document, "train")["container"])["RISEML_HOLD"] == "1800"
    assert "RISEML_TIMEOUT" not in env(template(document, "train")["container"])
    assert "held" in outputs(document)
    script = template(document, "train")["container"]["args"][1]
    assert templating.read("hold.sh") in script
    assert "activeDeadlineSeconds" not in template(document, "train")
    (job,) = status.read(document).experiments[0].jobs
    assert job.holds


def test_a_job_that_does_not_hold_has_nothing_of_it() -> None:
    document = compiled(single(timeout=60))
    assert "RISEML_HOLD" not in env(template(document, "train")["container"])
    assert "held" not in outputs(document)
    assert (
        "riseml_failed_first" not in template(document, "train")["container"]["args"][1]
    )
    (job,) = status.read(document).experiments[0].jobs
    assert not job.holds


def test_the_pod_outlasts_the_timeout_of_the_lines_by_the_hold() -> None:
    document = compiled(single(hold=1800, timeout=60))
    assert env(template(document, "train")["container"])["RISEML_TIMEOUT"] == "60"
    assert template(document, "train")["activeDeadlineSeconds"] == 60 + 1800 + 3600
    (planned,) = sketch(document).planned
    assert (planned.holds, planned.timeout) == (True, 60)


def test_a_daemon_is_not_held() -> None:
    server = Job("ps", ("serve",), Resources(), daemon=True)
    worker = Job("worker", ("train",), Resources())
    document = compiled(single(hold=1800, timeout=60, jobs=(server, worker)))
    assert "held" not in outputs(document, "ps")
    assert "held" in outputs(document, "worker")

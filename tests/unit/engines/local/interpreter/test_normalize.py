"""Normal form of a Workflow: null means that a field is missing, as for an API server."""

from riseml.engines.local.interpreter.normalize import without_nulls
from riseml.engines.local.interpreter.validate import check
from tests.unit.engines.local.interpreter.faults import faults_of
from tests.unit.workflows import dag, job, task, workflow


def test_null_fields_are_missing_fields() -> None:
    template = job(inputs=None, outputs=None, metadata=None, retryStrategy=None)
    main = dag("main", task("t", arguments={}, depends=None, hooks=None))
    main["dag"]["tasks"][0]["arguments"] = None
    document = workflow(main, template, arguments=None)
    document["metadata"]["labels"] = None
    normal = without_nulls(document)
    check(normal)
    assert "arguments" not in normal["spec"]
    assert "labels" not in normal["metadata"]
    assert normal["spec"]["templates"][0]["dag"]["tasks"] == [
        {"name": "t", "template": "job"}
    ]


def test_parameters_may_be_null() -> None:
    document = workflow(
        job(inputs={"parameters": None}), arguments={"parameters": None}
    )
    check(without_nulls(document))


def test_null_items_are_data() -> None:
    main = dag("main", task("t", withItems=["a", None]))
    assert without_nulls(main)["dag"]["tasks"][0]["withItems"] == ["a", None]
    assert "withItems[1]: None is not text or a map" in faults_of(workflow(main, job()))


def test_a_required_field_may_not_be_null() -> None:
    document = workflow(job())
    document["spec"]["templates"] = None
    assert faults_of(without_nulls(document)) == "spec: templates is missing"


def test_a_document_that_is_not_in_normal_form_is_refused() -> None:
    document = workflow(job(inputs=None), arguments=None)
    assert faults_of(document).splitlines() == [
        "spec.templates[job].inputs: None is not a map",
        "spec.arguments: None is not a map",
    ]

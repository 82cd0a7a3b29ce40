"""Command `riseml doctor`."""

from typing import TYPE_CHECKING, Annotated

from riseml.cli import formats, options, output, terminal
from riseml.cli.cluster_options import Context, Kubeconfig, connect
from riseml.cli.documents import Document
from riseml.cli.finding_lines import FindingRecord, record, text
from riseml.cli.parameters import Option
from riseml.client.client import Client
from riseml.dataclass import replace
from riseml.engines.capabilities import Repairable
from riseml.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from riseml.doctor import Finding

# Without it nothing on the cluster can be checked, which has a status of its own.
_CONNECTION_CHECK = "The API server answers"


DOCUMENTS = {"doctor": Document(list[FindingRecord])}


def command(
    output_format: options.OutputFormat = "table",
    repair: Annotated[
        bool,
        Option(
            "--repair", help="Rebuild a damaged or lost list of runs on this machine."
        ),
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Check this machine or the cluster for everything runs need.

    It checks the cluster if runs go there (`riseml config show`), and says how to fix
    what is missing. For an administrator, with KUBECONFIG and without a key, it checks
    the whole cluster instead: Kubernetes, Argo, the installation and its users. The
    exit status is 1 if a check fails, and 3 if the cluster does not answer. With
    --repair, a damaged list of runs is kept aside, and a new one is made from the
    run.json files of the outputs.

    Examples:
      riseml doctor
      riseml doctor -o json
      riseml doctor --kubeconfig admin.kubeconfig
      riseml doctor --repair
    """
    if repair:
        _repair()
        return 0
    results = _findings(kubeconfig, context)
    if formats.is_for_people(output_format):
        findings = _print_findings(results, output_format)
    else:
        findings = list(results)
        _write_data(findings, output_format)
    failures = _failures(findings)
    if _CONNECTION_CHECK in failures:
        return 3
    return 1 if failures else 0


def _findings(kubeconfig: str | None, context: str | None) -> "Iterator[Finding]":
    """Return the findings of the cluster for an administrator, otherwise the user's."""
    from riseml.cluster import administration

    client = Client()
    is_requested = kubeconfig is not None or context is not None
    if not is_requested and not administration.is_meant(client.settings):
        return client.doctor()
    from riseml import doctor
    from riseml.doctor import administrator
    from riseml.doctor.cluster_context import ClusterContext

    api = connect(kubeconfig, context)
    if not is_requested:
        output.note(
            f"Checking the cluster of KUBECONFIG, {api.connection.server}, as its administrator."
            " `riseml config use local` makes this command check this machine."
        )
    return doctor.run(administrator.all_checks(ClusterContext(api)))


def _repair() -> None:
    engine = Client().engine
    if not isinstance(engine, Repairable):
        raise InvalidInputError(
            f"the engine {engine.name} keeps no list of runs on this machine",
            "Leave out --repair.",
        )
    for sentence in engine.repair() or ["Nothing is wrong with the list of runs."]:
        output.say(sentence)


def _failures(findings: "list[Finding]") -> list[str]:
    """Return the titles of failed checks."""
    return [finding.title for finding in findings if finding.result == "failed"]


def _print_findings(
    results: "Iterator[Finding]", output_format: str
) -> "list[Finding]":
    """Print each finding as soon as its check is done; some checks take seconds."""
    screen = terminal.stdout()
    findings = []
    for finding in results:
        findings.append(finding)
        # Only administrators can run all checks, so `table` leaves out skipped ones.
        if output_format == "wide" or finding.result != "skipped":
            output.write(text(finding, screen))
    output.note(_summary(findings, output_format))
    return findings


def _summary(findings: "list[Finding]", output_format: str) -> str:
    results = [finding.result for finding in findings]
    failed = results.count("failed") or "none"
    summary = f"{len(findings)} checks, {failed} failed"
    skipped = results.count("skipped")
    if skipped and output_format == "table":
        summary += f", {skipped} skipped (`-o wide` says why)"
    return f"{summary}."


def _write_data(findings: "list[Finding]", output_format: str) -> None:
    data = formats.of_records(list(map(record, findings)), FindingRecord, "check")
    # The failed checks are what a script wants to name.
    data = replace(data, names=_failures(findings))
    formats.write_data(data, output_format)

"""Names of Argo's own examples that the local engine accepts; their text is not here."""

from typing import Final

COMPARED: Final = frozenset(
    {
        "arguments-parameters.yaml",
        "dag-continue-on-fail.yaml",
        "dag-diamond.yaml",
        "dag-disable-failFast.yaml",
        "dag-enhanced-depends.yaml",
        "dag-multiroot.yaml",
        "dag-nested.yaml",
        "global-parameters.yaml",
        "hello-world.yaml",
        "loops-dag.yaml",
        "timeouts-step.yaml",
        "title-and-description-with-markdown.yaml",
        "volumes-emptydir.yaml",
    }
)
"""Those whose end is determined, and needs only the image of the test cluster."""

ACCEPTED: Final = COMPARED | {
    "forever.yaml",
    "gc-ttl.yaml",
    "hello-windows.yaml",
    "image-pull-secrets.yaml",
    "node-selector.yaml",
    "parallelism-nested-dag.yaml",
    "retry-backoff.yaml",
    "retry-container-to-completion.yaml",
    "retry-container.yaml",
    "retry-on-error.yaml",
    "sidecar-nginx.yaml",
    "sidecar.yaml",
}
"""All that the local engine accepts; it refuses the others by name."""

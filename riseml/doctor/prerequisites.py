"""Checks of what RiseML needs from a cluster before it can be installed there."""

from riseml.cluster import administrator_rights
from riseml.cluster.api import is_served, name_of, path
from riseml.cluster.argo_controllers import are_custom_resources_known
from riseml.doctor import argo
from riseml.doctor.check_context import for_administrators
from riseml.doctor.cluster_context import ClusterContext
from riseml.doctor.findings import Check, Outcome, checks, failed, ok, warning
from riseml.doctor.shared import ready_nodes
from riseml.excerpts import counted

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_POLICIES = "validatingadmissionpolicies"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
# Volumes of these provisioners are disks, which only one node at a time can mount.
_DISK_PROVISIONERS = frozenset({
    "ebs.csi.aws.com", "kubernetes.io/aws-ebs", "pd.csi.storage.gke.io", "kubernetes.io/gce-pd",
    "disk.csi.azure.com", "kubernetes.io/azure-disk", "rancher.io/local-path", "cinder.csi.openstack.org",
})  # fmt: skip
# DaemonSets of network plug-ins that enforce network policies.
_NETWORK_PLUGINS = frozenset({
    "antrea-agent", "azure-npm", "calico-node", "canal", "cilium", "kindnet", "kube-network-policies", "kube-router",
    "ovnkube-node", "weave-net",
})  # fmt: skip
_MAX_RIGHTS = 4
_INSTALL_ARGO = (
    "Install Argo Workflows 4.1 for all namespaces: `kubectl create namespace argo`, then `kubectl apply --server-side"
    " -n argo -f https://github.com/argoproj/argo-workflows/releases/download/v4.1.2/install.yaml`."
)


def all_checks(context: ClusterContext) -> list[Check]:
    """Return the checks."""
    return checks(
        context,
        _kubernetes,
        _rights,
        _custom_resources,
        argo.watching_controller,
        argo.settings,
        _storage,
        _network,
        ready_nodes,
    )


def _kubernetes(context: ClusterContext) -> Outcome:
    """The version of Kubernetes."""
    version = str(context.api.get("/version").get("gitVersion", "?")).removeprefix("v")
    if not is_served(context.api, _ADMISSION, _POLICIES):
        return failed(
            f"{version} has no ValidatingAdmissionPolicy, which isolates users from each other",
            "Upgrade Kubernetes to 1.30 or newer.",
        )
    return ok(f"{version}, which has admission policies")


def _rights(context: ClusterContext) -> Outcome:
    """Your rights to install and to create users."""
    missing = administrator_rights.missing(context.api, context.values)
    if not missing:
        return ok("everything is allowed")
    return failed(
        f"not allowed: {counted(missing, _MAX_RIGHTS)}",
        "Installing needs the ClusterRole cluster-admin; after that, riseml-admin is enough.",
    )


def _custom_resources(context: ClusterContext) -> Outcome:
    """Argo's custom resources."""
    if not are_custom_resources_known(context.api):
        return failed("there is no Argo Workflows on this cluster", _INSTALL_ARGO)
    return ok("the cluster knows Workflows")


@for_administrators
def _storage(context: ClusterContext) -> Outcome:
    """The storage of users' claims."""
    storage = context.values["storage"]
    if storage["volumes"] is not None:
        kinds = ", ".join(storage["volumes"])
        return ok(f"each claim gets a volume of its own ({kinds})")
    name = storage["storageClass"]
    for body in context.api.items(path("storageclasses")):
        metadata = body["metadata"]
        is_default = metadata.get("annotations", {}).get(_DEFAULT_CLASS) == "true"
        if metadata["name"] == name or (name is None and is_default):
            return _storage_class(metadata["name"], body.get("provisioner", "?"))
    missing = f"no class {name}" if name else "no default class"
    return failed(
        f"there is {missing}, so claims would stay pending",
        "Set `storage: {storageClass: NAME}` or `storage: {volumes: …}` in values.yml.",
    )


def _storage_class(name: str, provisioner: str) -> Outcome:
    if provisioner in _DISK_PROVISIONERS:
        return warning(
            f"the class {name} ({provisioner}) provides disks, which one node at a time can mount",
            "Set `storage: {storageClass: NAME}` in values.yml to a class with ReadWriteMany, such as NFS.",
        )
    return ok(f"the class {name} ({provisioner})")


@for_administrators
def _network(context: ClusterContext) -> Outcome:
    """Network policies."""
    bodies = context.api.items(path("daemonsets"), metadata=True)
    enforcing = sorted(_NETWORK_PLUGINS.intersection(map(name_of, bodies)))
    if not enforcing:
        return warning(
            "no network plug-in that is known to enforce them: jobs of all users may reach each other",
            "Install one, such as Calico or Cilium, unless yours does enforce them (docs/cluster/network.md).",
        )
    return ok(f"enforced by {', '.join(enforcing)}")

"""The Argo engine: Workflows of a user's namespace on a Kubernetes cluster."""

"""Pure interpreter of Argo Workflows: events in, actions and a `.status` out."""

"""Pure interpreter of Argo Workflows: events in, actions and a `.status` out; no file, clock or process."""

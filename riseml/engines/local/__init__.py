"""The embedded engine: runs compiled Workflows as processes of this machine."""

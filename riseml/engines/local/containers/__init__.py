"""Jobs of the local engine in containers of podman or docker, in the image that riseml.yml names."""

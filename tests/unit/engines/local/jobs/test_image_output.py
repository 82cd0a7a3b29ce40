"""What the log of a build shows of the output of podman and docker."""

import pytest

from riseml.engines.local.jobs.image_output import BuildOutput, PullOutput

STEPS = ["pip install torch", "make"]
PODMAN = """\
STEP 1/4: FROM docker.io/library/python@sha256:00
STEP 2/4: WORKDIR /code
--> Using cache 405c0bfe38c96f55ca64eb078620393d0213e33ec2584b3ec23be6de7fb509c7
--> 405c0bfe38c
STEP 3/4: RUN ["sh", "-c", "exec bash", "pip install torch"]
--> Using cache 79ecf387440b16899ab88a782c403187615354cb33234422169f15a8fe9eb7a5
--> 79ecf387440
STEP 4/4: RUN ["sh", "-c", "exec bash", "make"]
cc -o net net.c
Error: building at STEP "RUN sh -c exec bash make": while running runtime: exit status 3
"""
BUILDKIT = """\
#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s
#5 [2/4] WORKDIR /code
#5 CACHED
#6 [3/4] RUN ["sh", "-c", "exec bash", "pip install torch"]
#6 CACHED
#7 [4/4] RUN ["sh", "-c", "exec bash", "make"]
#7 0.318 cc -o net net.c
#7 ERROR: process "sh -c exec bash make" did not complete successfully: exit code: 3
ERROR: failed to solve: process "sh" did not complete successfully: exit code: 3
"""
CLASSIC = """\
Sending build context to Docker daemon  3.072kB
Step 1/4 : FROM python:3.12
 ---> 5afd309fe781
Step 3/4 : RUN ["sh", "-c", "exec bash", "pip install torch"]
 ---> Using cache
 ---> 79ecf387440b
Step 4/4 : RUN ["sh", "-c", "exec bash", "make"]
 ---> Running in 0a1b2c3d4e5f
cc -o net net.c
The command 'sh -c exec bash make' returned a non-zero code: 3
"""


@pytest.mark.parametrize("text", [PODMAN, BUILDKIT, CLASSIC])
def test_a_build_shows_its_steps_and_what_they_write(text: str) -> None:
    output = BuildOutput(STEPS)
    lines = [output.rewrite(line) for line in text.splitlines()]
    assert [line for line in lines if line is not None] == [
        "==> pip install torch",
        "    (done before; its result is reused)",
        "==> make",
        "cc -o net net.c",
    ]
    assert (output.step, output.status) == ("make", 3)


def test_a_pull_of_podman_counts_bytes_and_layers() -> None:
    output = PullOutput()
    output.feed("Trying to pull docker.io/me/net@sha256:ca84aacd191c2f699c88...")
    assert output.describe() == ""
    output.feed("Copying blob 5ef36ae196fc [==>-----] 10.0MiB / 100.0MiB\r")
    output.feed("\x1b[1A\x1b[JCopying blob 0011223344aa [>------] 0.0b / 20.0MiB")
    assert output.describe() == "10 MB of 126 MB, 0 of 2 layers"
    output.feed("Copying blob 5ef36ae196fc done")
    output.feed("Copying config 409b0aa409 [=====] 409.0b / 409.0b")
    assert output.describe() == "105 MB of 126 MB, 1 of 2 layers"


def test_a_pull_of_docker_counts_bytes_and_layers() -> None:
    output = PullOutput()
    output.feed("2.5: Pulling from pytorch/pytorch")
    output.feed("5ef36ae196fc: Pulling fs layer")
    output.feed("0011223344aa: Already exists")
    output.feed("5ef36ae196fc: Downloading [==>   ]  12.5MB/50MB")
    assert output.describe() == "12 MB of 50 MB, 1 of 2 layers"
    output.feed("5ef36ae196fc: Pull complete")
    assert output.describe() == "50 MB of 50 MB, 2 of 2 layers"

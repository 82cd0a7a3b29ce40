# Runs each line as one `mpirun` over the processes of all workers, started by the first of them. $riseml_agent is
# mpi_agent.py, which does that, and lets mpirun reach the other workers without ssh.

riseml_lacks() {
  echo "riseml: there is no $1 in this image; $2" >&2
  exit 127
}

command -v mpirun > /dev/null || riseml_lacks mpirun "install one (openmpi-bin, mpich), or name an image that has it"
riseml_python=$(command -v python3 || command -v python) || riseml_lacks python "install steps can add python3"
mkdir -p "$RISEML_DIR/mpi"
printf '%s\n' "$riseml_agent" > "$RISEML_DIR/mpi/agent.py"
exec "$riseml_python" "$RISEML_DIR/mpi/agent.py" "$@"

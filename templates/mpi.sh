# Runs every line as one `mpirun` over the processes of all workers, started by the first worker. $riseml_agent is the
# text of mpi_agent.py, which does that and lets mpirun reach the other workers without ssh. Its parts are $riseml_ranks
# (mpi_ranks.py), $riseml_rank (mpi_rank.sh) and $riseml_lines (session.sh).

riseml_lacks() {
  echo "riseml: there is no $1 in this image; $2" >&2
  exit 127
}

command -v mpirun > /dev/null || riseml_lacks mpirun "install openmpi-bin or mpich, or use an image that has one"
riseml_python=$(command -v python3 || command -v python) || riseml_lacks python "add python3 with an install step"
mkdir -p "$RISEML_DIR/mpi"
printf '%s\n' "$riseml_agent" > "$RISEML_DIR/mpi/agent.py"
printf '%s\n' "$riseml_ranks" > "$RISEML_DIR/mpi/mpi_ranks.py"
printf '%s\n' "$riseml_rank" > "$RISEML_DIR/mpi/rank.sh"
printf '%s\n' "$riseml_lines" > "$RISEML_DIR/mpi/session.sh"
exec "$riseml_python" "$RISEML_DIR/mpi/agent.py" "$@"

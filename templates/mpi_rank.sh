# One rank, which mpirun starts: it runs the line $1 in session.sh. Files in $RISEML_DIR/mpi:
#   ranks/<pid>         the rank has started; the pid is that of this shell
#   ranks/<pid>.ended   its programs have exited
#   stop                made by the agent before it stops all ranks
#   failed              lines of `<rank> <status>`: the ranks that failed by themselves
# mpirun kills all ranks as soon as it learns that one has failed. A rank that fails or is stopped therefore stays until the
# agent ends mpirun, so that the others can save.

# Kubernetes replaces two dollar signs by one.
riseml_mpi=$RISEML_DIR/mpi riseml_rank=$RISEML_DIR/mpi/ranks/${$} riseml_code=0
cd "$RISEML_MPI_CWD" 2> /dev/null
[ ! -w "$RISEML_MPI_OUT" ] || exec >> "$RISEML_MPI_OUT"
[ ! -w "$RISEML_MPI_ERR" ] || exec 2>> "$RISEML_MPI_ERR"
trap : TERM INT
true > "$riseml_rank"
if [ -e "$riseml_mpi/stop" ]; then
  riseml_code=143
elif command -v bash > /dev/null; then
  bash "$riseml_mpi/session.sh" "$1" || riseml_code=$?
else
  sh "$riseml_mpi/session.sh" "$1" || riseml_code=$?
fi
true > "$riseml_rank.ended"
if [ ! -e "$riseml_mpi/stop" ]; then
  [ "$riseml_code" != 0 ] || exit 0
  echo "${OMPI_COMM_WORLD_RANK-${PMI_RANK-?}} $riseml_code" >> "$riseml_mpi/failed"
  kill -USR1 "$RISEML_MPI_AGENT"
fi
trap 'exit "$riseml_code"' TERM INT
while kill -0 "$RISEML_MPI_AGENT" 2> /dev/null; do
  sleep 0.1 2> /dev/null || sleep 1
done
exit "$riseml_code"

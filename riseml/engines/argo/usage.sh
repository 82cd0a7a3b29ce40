# Prints what the container uses: files of its control group, version 2 or 1, each after a line with its name; else what its
# processes say. Then its network, and its GPUs if it has nvidia-smi.
cd /sys/fs/cgroup 2> /dev/null || cd /
for file in cpu.stat memory.current memory.stat io.stat cpuacct/cpuacct.usage memory/memory.usage_in_bytes \
  memory/memory.stat blkio/blkio.throttle.io_service_bytes; do
  [ ! -r "$file" ] || { echo "== $file"; cat "$file"; }
done
[ -r memory.current ] || [ -r memory/memory.usage_in_bytes ] || { echo '== stat'; cat /proc/[0-9]*/stat 2> /dev/null; }
echo '== net'
cat /proc/net/dev
command -v nvidia-smi > /dev/null || exit 0
echo '== gpus'
nvidia-smi --format=csv,noheader,nounits --query-gpu=uuid,index,name,pci.bus_id,utilization.gpu,memory.used,memory.total,power.draw,power.limit,temperature.gpu \
  2> /dev/null || :

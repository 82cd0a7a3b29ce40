#!/usr/bin/env bash
# Lightning 2.6.6, torch 2.9.1: one process with a variable RANK or LOCAL_RANK in its environment trains, but logs nothing.
#
# The name is common for a hyperparameter (the rank of LoRA), and launchers export hyperparameters as variables. Lightning reads
# RANK, LOCAL_RANK, SLURM_PROCID and JSM_NAMESPACE_RANK when it is imported. If the first one that is set is not 0, its
# loggers write nothing. The Trainer ignores the variable: it reports global_rank 0 of world_size 1, saves checkpoints
# and exits with 0. There is no warning.
#
# Seen: without the variable metrics.csv has 80 rows; with RANK=8 there is no metrics.csv, and the output is
# otherwise the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset RANK LOCAL_RANK SLURM_PROCID JSM_NAMESPACE_RANK
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.9.1 lightning==2.6.6 numpy

cat > train.py << 'PYTHON'
import lightning, torch
from lightning.pytorch.loggers import CSVLogger


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, _):
        loss = self.layer(batch).pow(2).mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


trainer = lightning.Trainer(max_epochs=1, logger=CSVLogger(".", name="csv"), accelerator="cpu", log_every_n_steps=1,
                            enable_progress_bar=False, enable_model_summary=False)
trainer.fit(Model(), torch.utils.data.DataLoader(torch.randn(160, 2), batch_size=2))
print("rank", trainer.global_rank, "of", trainer.world_size)
PYTHON

rows() {
  rm -rf csv
  env "$@" venv/bin/python train.py > log 2>&1
  tail -n 1 log
  find csv -name '*.ckpt' | grep -q . || { echo "no checkpoint"; exit 1; }
  [ ! -e csv/version_0/metrics.csv ] && rows=0 || rows=$(($(wc -l < csv/version_0/metrics.csv) - 1))
  echo "$*: $rows rows"
}

rows A=1; [ "$rows" = 80 ]
rows RANK=0; [ "$rows" = 80 ]
for name in RANK LOCAL_RANK; do
  rows "$name=8"
  [ "$rows" = 0 ] || { echo "changed: $name=8 no longer turns the logger off"; exit 1; }
  [ "$(tail -n 1 log)" = "rank 0 of 1" ]
done
echo "as described"

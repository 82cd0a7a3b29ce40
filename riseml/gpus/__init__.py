"""GPUs of this machine: which there are, what jobs may use of them, and what is used now.

    detection.detect(environment) ──▶ Gpu, Gpu, … ──assigned──▶ job_variables(gpus)
                                           │
                                           └──▶ usage.readings, usage.processes, usage.samples

The functions that ask drivers are imported from their modules where they are called:
most commands do not need them.
"""

from riseml.gpus.gpu import AMD, NVIDIA, Gpu
from riseml.gpus.job_variables import job_variables

__all__ = ["AMD", "NVIDIA", "Gpu", "job_variables"]

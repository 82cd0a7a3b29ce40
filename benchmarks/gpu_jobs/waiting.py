"""Hold memory of the card, and compute nothing until the end."""

import time

from cuda_driver import Driver

driver = Driver()
driver.open()
memory = driver.allocate(1 << 28)
driver.fill(memory, 1 << 28)
print("devices", driver.count, flush=True)
print("ready", flush=True)
time.sleep(600)

"""Take nine tenths of the card's memory, and compute until the end."""

from cuda_driver import Driver

driver = Driver()
driver.open()
_, total = driver.memory()
size = total // 10 * 9
memory = driver.allocate(size)
driver.fill(memory, size)
print("devices", driver.count, flush=True)
print("ready", size, flush=True)
while True:
    driver.fill(memory, size)

"""Print the cards that this job sees."""

from cuda_driver import Driver

driver = Driver()
print("devices", driver.count, *driver.identifiers())

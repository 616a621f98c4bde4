"""The faults: rows 1 to 36 of the table in the reference, each as what is done, and for how long."""

"""The whole of Carepod in one process of simulated time, where a seed decides what happens when and what fails."""

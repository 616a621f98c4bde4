"""The message catalogue in every form it is read in, made from the services' declarations alone."""

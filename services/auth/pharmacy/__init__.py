"""A drug the pharmacy benefit pays: its question set is answered from the chart and by a person, and goes out whole."""

"""The chapters of the handbook, in the order of the notes: mathematics, and nothing else."""

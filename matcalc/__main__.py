"""`python -m matcalc` is the command `matcalc`."""

from matcalc.cli import main

main()

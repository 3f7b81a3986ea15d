"""What a cohort is: cohort files, tables, scales, outcomes, the simulated cohort and preprocessing."""

"""Data in and out of the study: tables with a dry run and an undo, retrospective cohorts, exports, codebook."""

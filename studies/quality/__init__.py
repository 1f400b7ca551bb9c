"""Are the data right: queries, edit checks as versioned rules, source verification, handover, risk indicators."""

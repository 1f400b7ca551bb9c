"""Was everybody screened? The center's own counts, the consecutiveness report, and the flow of patients (EN-01, EN-07)."""

"""What becomes of findings: selection of rules, severity, suppression, baseline, the gate."""

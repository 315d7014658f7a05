"""What happens to findings: selection of rules, severity, suppression, baseline."""

"""Privacy evaluation: a victim, tasks for the attacker, one attack at a time, and the report."""

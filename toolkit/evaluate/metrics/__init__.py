"""What is counted: the user's side (pa), the attacker's side (pi) and how a reconstruction looks (likeness)."""

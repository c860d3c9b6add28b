"""What networks are for: one file per task, its name is the task's. `--task auto` asks each how well it fits."""

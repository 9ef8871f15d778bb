"""What operators see of a running server: its logs, its metrics, its traces. The use cases know nothing of it."""

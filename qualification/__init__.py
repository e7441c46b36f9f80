"""What workers have shown."""

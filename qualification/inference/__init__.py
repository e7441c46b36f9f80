"""What answers tell: pure NumPy, no Django, no clock."""

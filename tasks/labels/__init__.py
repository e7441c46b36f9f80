"""Label schemas: what a worker may answer.  Pure."""

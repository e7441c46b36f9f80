"""The front: everything that faces outward (API, pages, commands, sweeps) and the wiring."""

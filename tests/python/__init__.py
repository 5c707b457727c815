"""The Python API: what it promises, and what it does when things go wrong."""

"""Bytes over the network: one request, one file, many files."""

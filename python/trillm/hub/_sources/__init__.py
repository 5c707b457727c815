"""Where models come from: one module for each source, and what those need."""

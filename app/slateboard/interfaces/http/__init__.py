"""The HTTP door: health, and what stands before every route."""

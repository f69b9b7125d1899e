"""Questions across the whole: read actions over SQL text. They import neither SQLAlchemy nor Pydantic."""

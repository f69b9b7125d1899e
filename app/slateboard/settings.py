"""Settings, read once from the environment. A wrong one stops the start, and the error names it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from slateboard.protocol.errors import BadSetting
from slateboard.protocol.names import check_name

PREFIX = "SLATE_"


class Settings(BaseModel):
    """All settings; the environment variable of each is its name in capitals after `SLATE_`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    home: Path = Field(default=Path("~/.slateboard"), description="folder of the embedded Postgres, tokens and backups")
    database_url: str | None = Field(default=None, description="a Postgres of your own (15 or newer)")
    board: str = Field(default="default", description="the board that is meant where none is named")
    host: str = Field(default="127.0.0.1", description="address that the server binds to")
    port: int = Field(default=8765, ge=0, le=65535, description="port that the server binds to; 0 takes a free one")
    pool_size: int = Field(default=10, ge=2, le=200, description="database connections of one server process")
    statement_timeout_seconds: float = Field(default=30.0, gt=0, le=3600, description="limit of one cold statement")
    archive_after_days: int = Field(
        default=30, ge=0, le=36_500, description="days that events stay in the database; 0 never archives them"
    )
    log_level: str = Field(default="info", description="debug, info, warning or error")

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("board")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value, "board")

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://")):
            message = "must start with postgresql://"
            raise ValueError(message)
        return value

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value not in {"debug", "info", "warning", "error"}:
            message = "must be debug, info, warning or error"
            raise ValueError(message)
        return value


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment (or the mapping given); raise `BadSetting` naming what is wrong."""
    source = os.environ if environment is None else environment
    given = {name: source[PREFIX + name.upper()] for name in Settings.model_fields if source.get(PREFIX + name.upper())}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        variable = PREFIX + str(first["loc"][0]).upper()
        message = f"{variable}={given[str(first['loc'][0])]!r} cannot be used: {first['msg']}"
        raise BadSetting(message, remedy=f"correct or unset {variable}") from error

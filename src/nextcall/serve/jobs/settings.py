"""What the service is told of its jobs."""

from pydantic import Field
from pydantic_settings import BaseSettings

from nextcall.jobs.store import WAITING


class JobSettings(BaseSettings):
    """Every setting of jobs; a part of `Settings`."""

    jobs_enabled: bool = Field(
        default=True, description="whether jobs may be asked for: training, data"
    )
    jobs_waiting: int = Field(WAITING, ge=1, description="jobs that may wait for one that runs")
    job_seconds: float = Field(14_400, gt=0, description="seconds that a job may take")
    job_nice: int = Field(10, ge=0, le=19, description="how far its process stands back, 0 to 19")
    jobs_days: int = Field(90, ge=1, description="days that ended jobs are told of")

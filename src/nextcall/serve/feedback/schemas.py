"""What may be told of a prediction over HTTP, and what is answered."""

from pydantic import ConfigDict, Field

from nextcall.serve.answers import Answered
from nextcall.serve.schemas import Asked


class FeedbackAsked(Asked):
    """What became of a prediction."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "prediction_id": "0b0f3c0e-6d0b-4f0e-9a55-0a8d9f1e6f3c",
                    "chosen": "s3:CreateBucket",
                }
            ]
        }
    )

    prediction_id: str = Field(
        min_length=1, max_length=64, description="Of an answer that whoever asks got before."
    )
    chosen: str | None = Field(
        max_length=2048,
        description='What was called: operation id, "METHOD /path" or a path. It need not have '
        "been predicted. Null where none was called.",
    )


class FeedbackAnswer(Answered):
    """What became of it; it is on disk."""

    prediction_id: str
    recorded: bool = Field(description="Whether it says something new.")
    repeated: bool = Field(description="Whether it says what was known already.")
    replaced: bool = Field(description="Whether it took the place of another answer.")
    rank: int | None = Field(
        description="Place of what was called among the predictions, from 1; null where it was "
        "not predicted, or none was called."
    )

"""Texts of an operation that are embedded beside one another, and compared with prompts."""

from nextcall.catalog import Operation
from nextcall.ranking.lexical_index import DOCUMENT_CHARACTERS, service_label


def operation_text(operation: Operation) -> str:
    """Text of an operation that is embedded and that the plain BM25 baseline searches.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> operation_text(describe_operation(
    ...     operation_id="s3:CreateBucket", service="s3", description="Creates a new bucket."))
    's3: create bucket. Creates a new bucket.'
    """
    label = service_label(operation)
    belongs = f"{label}: " if label else ""
    text = operation.description[:DOCUMENT_CHARACTERS]
    summary = operation.summary.rstrip(".")
    if not (text.startswith(summary) or summary.startswith(text)):
        text = f"{summary}. {text}"
    return f"{belongs}{' '.join(operation.words)}. {text}"


def label_text(operation: Operation) -> str:
    """Name of an operation with its service: what is embedded beside the fuller text.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> label_text(describe_operation(operation_id="s3:CreateBucket", service="s3"))
    'create bucket s3'
    """
    service = () if operation.service == operation.source else (operation.service,)
    return " ".join((*operation.words, *service))

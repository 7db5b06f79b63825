"""What is known of failures by the names of errors alone."""

import pickle
import subprocess
import sys
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from nextcall.llm.failures import FailedCallError, category_of, may_have_cost
from nextcall.llm.language_models import NoModelAnsweredError
from nextcall.resilience.breaker import BreakerOpenError
from nextcall.resilience.category import Category

REQUEST = httpx2.Request("POST", "https://models.example/v1")


@pytest.mark.parametrize("client", [openai, anthropic])
def test_a_connection_that_is_lost_may_have_cost_something(client: Any) -> None:
    error = client.APIConnectionError(request=REQUEST)
    error.__cause__ = httpx2.ReadError("reset")
    assert may_have_cost(error)
    error.__cause__ = httpx2.ConnectTimeout("nobody")
    assert not may_have_cost(error)
    assert may_have_cost(client.APITimeoutError(REQUEST))


@pytest.mark.parametrize("client", [openai, anthropic])
def test_an_answer_of_another_shape_is_the_other_sides_fault(client: Any) -> None:
    response = httpx2.Response(200, request=REQUEST)
    error = client.APIResponseValidationError(response, None)
    assert category_of(error) == "transient"
    assert may_have_cost(error)


def test_what_was_not_sent_costs_nothing() -> None:
    assert not may_have_cost(ValueError("a schema that is none"))
    assert not may_have_cost(BreakerOpenError("LLM one", 3.0))


def test_errors_go_to_other_processes() -> None:
    failed = pickle.loads(pickle.dumps(FailedCallError(Category.API_LIMIT, 2.5)))  # noqa: S301
    assert (failed.category, failed.retry_after) == ("api_limit", 2.5)
    assert str(failed) == "the call of a language model failed (api_limit)."
    unanswered = NoModelAnsweredError((("small", Category.NETWORK),))
    again = pickle.loads(pickle.dumps(unanswered))  # noqa: S301
    assert str(again) == "no language model answered: small (network)."


def test_without_the_clients_everything_else_works() -> None:
    script = """
import sys
sys.modules.update(openai=None, anthropic=None)
from nextcall.llm.failures import category_of
from nextcall.llm.language_models import LanguageModels
from nextcall.llm.model_table import read_model_table
from nextcall.resilience.breakers import Breakers
table = read_model_table(None, environment={"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"})
models = LanguageModels(table, ledger=None, breakers=Breakers(), metrics=None, seconds=1)
print(dict(models.available), dict(table.left_out), category_of(ConnectionResetError()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == ("{} {'anthropic': 'nextcall[llm]', 'openai': 'nextcall[llm]'} network\n")


def test_no_client_is_imported_before_a_provider_of_its_protocol_is_opened() -> None:
    script = """
import sys
from nextcall.llm.language_models import LanguageModels
from nextcall.llm.model_table import read_model_table
read_model_table(None, environment={"OPENAI_API_KEY": "a"})
print({"openai", "anthropic", "httpx2", "pydantic"} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"

"""What docs/llm.md shows works as it stands there."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nextcall.llm.anthropic_protocol import AnthropicProtocol
from nextcall.llm.model import Model
from nextcall.llm.model_table import read_model_table
from nextcall.llm.question import Message, Question

PAGE = Path(__file__).parents[2] / "docs" / "llm.md"


def block(language: str) -> str:
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    return str(found)


def test_the_table_is_one(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(block("yaml"), encoding="utf-8")
    table = read_model_table(file, environment={})
    assert [model.name for model in table.usable("low")] == ["smollm2"]
    assert table.left_out == {"anthropic": "ANTHROPIC_API_KEY"}
    whole = read_model_table(file, environment={"ANTHROPIC_API_KEY": "sk-1"})
    packaged = read_model_table(None, environment={"ANTHROPIC_API_KEY": "sk-1"})
    assert whole.models[1] in packaged.models


@pytest.mark.usefixtures("language_model")  # skips where there is none
def test_a_few_lines_are_a_server() -> None:
    shown = block("python")
    assert "8080" in shown
    assert 'input("Enter ends it.")' in shown
    tell = "print(server.listening_address, flush=True); input()"
    script = shown.replace("8080", "0").replace('input("Enter ends it.")', tell)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()

            async def asked() -> str:
                provider = AnthropicProtocol(key=None, url=address)
                try:
                    question = Question(messages=(Message(role="user", text="Hi"),), most_tokens=4)
                    model = Model(name="smollm2", provider="here")
                    return (await provider.complete(model, question, seconds=120)).text
                finally:
                    await provider.close()

            assert asyncio.run(asked())
        finally:
            process.kill()

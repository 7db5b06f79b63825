"""Pages for people."""

import re

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_needs_no_other_host(client: TestClient, page: str) -> None:
    answer = client.get(page)
    assert answer.status_code == 200
    assert "http" not in answer.text.replace("http-equiv", "")
    linked = re.findall(r'(?:src|href|spec-url)="([^"]+)"', answer.text)
    linked += re.findall(r"url: '([^']+)'", answer.text)
    assert "openapi.json" in linked
    assert len(linked) >= 3
    for link in linked:
        found = client.get(f"/{link}")
        assert found.status_code == 200
        assert found.content


def test_every_page_leads_to_the_documentation(client: TestClient) -> None:
    for page in ("/", "/dashboard"):
        assert '<a href="docs">' in client.get(page).text

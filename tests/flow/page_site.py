"""The pages with the example in them, for tests of what each page answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.browser import example
from tests.browser.site import Visitor, make_site


class Pages:
    """A site, the example in it, and visitors who are signed in."""

    def __init__(self, folder: Path) -> None:
        self.site: FastAPI = make_site(folder)
        with self.site.state.database.transaction() as session:
            self.example = example.fill(session)

    def visitor(self, email: str, language: str = "nl") -> Visitor:
        return Visitor(self.site, language).sign_in(email)

    def anna(self, language: str = "nl") -> Visitor:
        """Plan owner and administrator."""
        return self.visitor("anna@voorbeeld.nl", language)

    def mo(self) -> Visitor:
        """Approver."""
        return self.visitor("mo@voorbeeld.nl")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    made = Pages(tmp_path_factory.mktemp("pages"))
    yield made
    made.site.state.database.dispose()

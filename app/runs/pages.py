"""HTML pages of runs: the list and the cockpit."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)

"""All pages of access: signing in, one's own account, people, machine tokens."""

from fastapi import APIRouter

import app.access.labels  # noqa: F401 – the words of roles
from app.access import account_pages, people_pages, provider_pages, sign_in_pages, token_pages
from app.core.routers import add

router = APIRouter(include_in_schema=False)
add(router, sign_in_pages.router)
add(router, provider_pages.router)
add(router, account_pages.router)
add(router, people_pages.router)
add(router, token_pages.router)

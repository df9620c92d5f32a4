"""Imports every domain's models, so that migrations and tests see all tables."""

from sqlmodel import SQLModel

import app.access.absence_models
import app.access.models
import app.access.sign_in_models
import app.access.token_models
import app.catalog.models
import app.core.audit.outside
import app.core.columns
import app.core.idempotency
import app.core.incarnation
import app.core.outbox
import app.drills.held
import app.drills.models
import app.findings.models
import app.plans.models
import app.playbooks.models
import app.runs.leases
import app.runs.models  # noqa: F401

METADATA = SQLModel.metadata
